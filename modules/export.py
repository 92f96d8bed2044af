"""What a module leaves behind: a folder that transformers, or peft, reads; checked before it is called an export."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from lightning.pytorch.utilities.rank_zero import rank_zero_info, rank_zero_warn

from ..checkpoints import locate
from ..contracts import data_facts
from ..errors import InputError
from ..storage.checksums import write_checksums
from ..storage.whole_folders import final_name
from .backbone.adapter_files import save_adapters
from .backbone.adapters import merge_adapters
from .backbone.positions import max_positions
from .cards.card import model_card
from .cards.lineage import LINEAGE, lineage
from .cards.options import CardOptions
from .export_check import check_adapters, check_whole, fits_memory, refuse_non_finite
from .sharding import is_sharded, whole_state

if TYPE_CHECKING:
    from .backbone.backbone import Backbone
    from .network import NetworkModule


def export(module: NetworkModule, folder: str | Path, check: bool = True) -> None:
    """Writes a Hugging Face folder: safetensors, configuration, tokenizer, model card.

    Weights of the checkpoint that this network has no place for and that others start from, such as a pooler, go with
    it as they were.

    Args:
        module: a built one; of a network that is divided over processes, each process calls this.
        folder: made if missing.
        check: read it back, and compare weights and outputs.

    Raises:
        InputError: if weights are not finite, or what is read back is not what was trained.
    """
    if module.backbone.adapters and not module.backbone.merge_adapters:
        export_adapters(module, folder, check)
        reader = "peft.PeftModel"
    else:
        model: Any = merge_adapters(module.model) if module.backbone.adapters else module.model
        sharded = is_sharded(model)
        whole = whole_state(model) if sharded else model.state_dict()
        if sharded and module.global_rank:
            return  # the first process has all of it, and writes
        refuse_non_finite({name: whole[name] for name, _ in model.named_parameters()})
        parents = getattr(model.config, LINEAGE, None)
        setattr(model.config, LINEAGE, lineage(module))
        carried = module.weight_report.carried if module.weight_report is not None else {}
        model.save_pretrained(folder, state_dict={**whole, **carried})
        setattr(model.config, LINEAGE, parents)
        if check and fits_memory(whole, folder):
            # A divided network computes in all processes together: its weights alone are compared.
            network, inputs = (None, {}) if sharded else (module.model, module.sample_inputs())
            trust = module.backbone.trust_remote_code
            check_whole(folder, module.auto_class, whole, network, inputs, trust)
        reader = f"transformers.{module.auto_class}"
    _save_tokenizer(module, folder)
    whole_module: Any = module  # with the steps that are its base's
    Path(folder, "README.md").write_text(model_card(whole_module, module.card or CardOptions()), encoding="utf-8")
    write_checksums(folder)
    rank_zero_info(f"Exported to {final_name(folder)}: {reader}.from_pretrained reads it.")


def export_adapters(module: NetworkModule, folder: str | Path, check: bool = True) -> None:
    """Writes the adapters, and what else is not as the backbone has it, as `peft.PeftModel.from_pretrained` reads them.

    Args:
        module: a built one with adapters.
        folder: made if missing.
        check: read it back, and compare outputs.

    Raises:
        InputError: if weights are not finite, there is nothing to put adapters on, or what is read back is not what was
            trained.
    """
    name = module.backbone.name
    if name is None:
        raise InputError(
            "Adapters alone are of no use without the weights that they adapt, and these were made from scratch: set "
            "backbone.merge_adapters: true."
        )
    refuse_non_finite(dict(module.model.named_parameters()))
    words = len(module.tokenizer) if module.tokenizer is not None else module.model.config.vocab_size
    with torch.random.fork_rng(devices=[]):
        grown = save_adapters(module.model, folder, _base(module), str(locate(name)), words)
    if grown:
        module.tokenizer.save_pretrained(folder)
        rank_zero_info(
            f"Who reads {final_name(folder)} gives the base its new words first, as peft's AutoPeftModel does: "
            "base.resize_token_embeddings(len(tokenizer))."
        )
    if check and fits_memory(module.model.state_dict(), folder):
        check_adapters(folder, lambda: _base(module), words if grown else None, module.model, module.sample_inputs())


def _base(module: NetworkModule) -> Any:
    """The network that adapters were put on, as its weights are without any option of training."""
    given = module.backbone
    plain: Backbone = replace(
        given, lora=None, adapter=None, freeze=None, reinitialize_layers=0, gradient_checkpointing=False, compile=False
    )
    network, _ = plain.build(module.auto_class, None, **module.head_options())
    return network.eval()


def _save_tokenizer(module: NetworkModule, folder: str | Path) -> None:
    tokenizer = module.tokenizer
    if tokenizer is None:
        place = f"{final_name(folder)}"
        rank_zero_warn(
            f"There is no tokenizer in {place}: neither the data nor the backbone has one. Add the one that your "
            f"input_ids are from, tokenizer.save_pretrained({place!r}); transformers may make one up otherwise."
        )
        return
    trained = data_facts(module.datamodule).longest if module.backbone.name is None else None
    limits = [n for n in (max_positions(module.model.config), trained, tokenizer.model_max_length) if n]
    tokenizer.model_max_length = min(limits)
    tokenizer.save_pretrained(folder)
