"""The data sets of ready configurations as repositories of the Hub: cards, subsets, and where each has its files."""

from __future__ import annotations

import io
import json
from collections.abc import Iterable

import yaml
from datasets import Dataset, DatasetDict
from public_sets import CASES, NLI, Case, make, texts
from reading_server import Commit, Repo  # type: ignore[import-not-found]

AX = texts("nyu-mll/glue/ax", "premise hypothesis", NLI, splits=("test",))
SUBSETS = {"stanfordnlp/imdb": "plain_text", "rajpurkar/squad": "plain_text", "rajpurkar/squad_v2": "squad_v2"}
"""Names of only subsets that are none of `default`."""
CONVERTED = "refs/convert/parquet"
SCRIPT = b"import datasets\n\nclass Builder(datasets.GeneratorBasedBuilder): ...\n"


def add_sets(repos: dict[str, Repo], names: Iterable[str], rows: int = 3) -> None:
    """Put the data sets of configurations onto a server.

    Args:
        repos: the server's.
        names: of configurations, such as `glue/cola`; all subsets of a data set come in one repository.
        rows: of each split.
    """
    found: dict[str, dict[str, Case]] = {}
    for name in names:
        case = CASES[name]
        owner, _, rest = case.at.partition("/")
        repo, _, subset = rest.partition("@")[0].partition("/")
        found.setdefault(f"{owner}/{repo}", {})[subset] = case
    for repo_id, cases in found.items():
        if repo_id == "nyu-mll/glue":
            cases["ax"] = AX
        files = {subset: make(case, rows) for subset, case in cases.items()}
        repos[f"datasets/{repo_id}"] = repository(repo_id, files, next(iter(cases.values())).at.endswith(CONVERTED))


def repository(repo_id: str, subsets: dict[str, DatasetDict], is_code: bool = False) -> Repo:
    """Return the repository of a data set.

    Args:
        repo_id: its id.
        subsets: the splits of each.
        is_code: whether it comes as code, with its rows in a branch of their own.
    """
    name = repo_id.partition("/")[2]
    if is_code:  # its rows are in a branch that the Hub makes, without a card
        subset = name if name == "msra_ner" else "default"
        (splits,) = subsets.values()
        rows = {f"{subset}/{split}/0000.parquet": parquet(data) for split, data in splits.items()}
        return Repo({"main": Commit({f"{name}.py": SCRIPT, "README.md": b"# A set\n"}), CONVERTED: Commit(rows)})
    if repo_id == "SetFit/TREC-QC":  # lines of JSON, and nothing that tells their types
        (splits,) = subsets.values()
        return Repo({"main": Commit({f"{split}.jsonl": lines(data) for split, data in splits.items()})})
    rows, configs, infos = {}, [], []
    for subset, splits in subsets.items():
        config = subset or SUBSETS.get(repo_id, "default")
        folder = "data" if config == "default" else config
        places = [{"split": split, "path": f"{folder}/{split}-*"} for split in splits]
        rows |= {f"{folder}/{split}-00000-of-00001.parquet": parquet(data) for split, data in splits.items()}
        configs.append({"config_name": config, "data_files": places})
        features = next(iter(splits.values())).features._to_yaml_list()
        counts = [{"name": split, "num_bytes": 1, "num_examples": len(data)} for split, data in splits.items()]
        infos.append({"config_name": config, "features": features, "splits": counts})
    card = yaml.safe_dump({"dataset_info": infos, "configs": configs}, allow_unicode=True)
    return Repo({"main": Commit({"README.md": f"---\n{card}---\n# A set\n".encode(), **rows})})


def parquet(data: Dataset) -> bytes:
    """Rows as a file of parquet."""
    file = io.BytesIO()
    data.to_parquet(file)
    return file.getvalue()


def lines(data: Dataset) -> bytes:
    """Rows as lines of JSON."""
    return "".join(json.dumps(dict(row)) + "\n" for row in data).encode()
