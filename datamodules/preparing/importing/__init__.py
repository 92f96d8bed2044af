"""Token files of other tools as a prepared corpus: what they hold is divided into documents, and not tokenized again.

Each format has a file that finds what belongs to it and says where its ids lie (`TokenFile`); all else is common.
"""
