"""What modules, data and the command line ask of each other: facts about either, and keys of batches.

Modules and datamodules never import each other. What one of them asks of the other is an attribute or a method of
`DataFacts`, `ModuleFacts` or `LoaderFacts`, each with a default, which is the answer of whoever does not say. The bases
of this suite inherit from them; `data_facts`, `module_facts` and `loader_facts` let anything else be asked the same.
Attributes are plain, so that a subclass may make one a property, or set it.
"""

from .answer_options import AnswerOptions
from .asking import data_facts, files_of, hub_ids_of, is_defined, loader_facts, module_facts, set_length
from .batch import CAPACITY, FULL, HINTS, IGNORED, LONGEST, TARGETS, TOKENS, known_targets, with_hints, without_hints
from .data import NOTHING, DataFacts, DataKind
from .loader import LoaderFacts
from .module import ModuleFacts, RowWork
from .shown import Role, ShownRow, ShownSpan, ShownText, pack_place, plain_rows
from .stored import Stored
from .survey import Shared, Survey

__all__ = [
    "CAPACITY",
    "FULL",
    "HINTS",
    "IGNORED",
    "LONGEST",
    "NOTHING",
    "TARGETS",
    "TOKENS",
    "AnswerOptions",
    "DataFacts",
    "DataKind",
    "LoaderFacts",
    "ModuleFacts",
    "Role",
    "RowWork",
    "Shared",
    "ShownRow",
    "ShownSpan",
    "ShownText",
    "Stored",
    "Survey",
    "data_facts",
    "files_of",
    "hub_ids_of",
    "is_defined",
    "known_targets",
    "loader_facts",
    "module_facts",
    "pack_place",
    "plain_rows",
    "set_length",
    "with_hints",
    "without_hints",
]
