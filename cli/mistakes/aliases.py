"""What options are called elsewhere, for suggestions: what people type out of habit, and what does it here."""

from __future__ import annotations

_CALLED = {
    "model.learning_rate": "lr learning_rates learn_rate rate max_lr base_lr eta step_size",
    "model.weight_decay": "wd decay l2",
    "model.optimizer": "optim opt optimiser optimizer_name",
    "model.schedule": "scheduler lr_scheduler lr_scheduler_type lr_schedule sched",
    "model.warmup": "warmup_steps num_warmup_steps n_warmup_steps warmup_ratio warmup_proportion warm_up warmup_epochs",
    "model.betas": "adam_beta1 adam_beta2 beta1 beta2 momentum",
    "model.backbone": "model_name model_name_or_path pretrained pretrained_model pretrained_model_name_or_path "
                      "base_model encoder plm bert hf_model model_id checkpoint_name",
    "model.backbone.lora": "lora_r lora_rank lora_alpha use_lora peft qlora",
    "model.backbone.freeze": "freeze_layers freeze_backbone frozen freeze_encoder",
    "model.backbone.attention": "attn_implementation flash_attention attn flash",
    "model.backbone.gradient_checkpointing": "grad_checkpoint activation_checkpointing checkpoint_gradients",
    "model.backbone.compile": "torch_compile compile_model",
    "model.labels": "num_labels classes num_classes n_classes class_names label_list",
    "model.monitor": "metric metric_for_best_model early_stopping_metric eval_metric",
    "model.monitor_mode": "mode greater_is_better",
    "model.mask_probability": "mlm_probability mlm_prob mask_prob masking_rate mask_rate mask_ratio",
    "model.layer_decay": "llrd layerwise_lr_decay lr_layer_decay layer_lr_decay",
    "data.batch_size": "bs batch batches batchsize train_batch_size per_device_train_batch_size "
                       "per_gpu_train_batch_size per_device_eval_batch_size eval_batch_size micro_batch_size "
                       "mini_batch_size",
    "data.max_length|data.block_size": "max_seq_length max_seq_len seq_len max_len seq_length sequence_length maxlen "
                                       "model_max_length context_length max_tokens",
    "data.train_files": "train_file train_path train_data train_dataset training_files data_dir data_path data_files "
                        "data_file input_data corpus dataset_path training_data file files",
    "data.validation_files": "val_file valid_file validation_file dev_file eval_file val_files dev_files eval_files "
                             "valid_files validation_data val_data dev_data eval_data",
    "data.test_files": "test_file test_data test_path test_dataset",
    "data.predict_files": "predict_file input_file infer_file inference_file input input_files",
    "data.predict_texts": "text texts sentence sentences prompt prompts predict_text",
    "data.dataset": "dataset_name hf_dataset hub_dataset task task_name",
    "data.subset": "dataset_config_name dataset_config subset_name",
    "data.validation_fraction": "val_split validation_split test_size val_size dev_ratio val_ratio val_fraction "
                                "train_test_split holdout",
    "data.num_workers": "workers n_workers dataloader_num_workers num_proc preprocessing_num_workers",
    "data.text_column": "text_field text_col text_key sentence_column source_column",
    "data.label_column": "label_col label_field label_key target target_column label",
    "data.tokenizer": "tokenizer_name tokenizer_path tokenizer_name_or_path vocab vocab_file",
    "trainer.max_epochs": "epochs epoch n_epochs num_epochs num_train_epochs nepochs train_epochs total_epochs",
    "trainer.max_steps": "steps num_steps n_steps train_steps max_train_steps num_train_steps total_steps max_iters "
                         "iterations num_iterations max_iterations iters updates max_updates",
    "trainer.devices": "gpus gpu num_gpus n_gpu n_gpus ngpu ngpus num_devices nproc_per_node nproc world_size gpu_ids",
    "trainer.accelerator gpu": "cuda use_cuda use_gpu",
    "trainer.accelerator cpu": "no_cuda use_cpu cpu",
    "trainer.accelerator": "device mps tpu hardware",
    "trainer.num_nodes": "nodes nnodes n_nodes",
    "trainer.strategy ddp": "ddp distributed data_parallel",
    "trainer.strategy fsdp": "zero deepspeed sharded",
    "logger wandb": "wandb use_wandb wandb_project weights_and_biases",
    "logger mlflow": "mlflow use_mlflow",
    "logger comet": "comet comet_ml",
    "logger aim": "aim aim_repo",
    "trainer.logger TensorBoardLogger": "tensorboard tb",
    "logger": "report_to tracker trackers log_with loggers",
    "trainer.logger": "log_dir logging_dir",
    "trainer.precision 16-mixed": "fp16 half amp use_amp",
    "trainer.precision bf16-mixed": "bf16 bfloat16",
    "trainer.precision 32-true": "fp32 float32",
    "trainer.precision": "mixed_precision dtype torch_dtype tf32",
    "trainer.accumulate_grad_batches": "grad_accum gradient_accumulation_steps accumulation_steps accumulate accum "
                                       "grad_accumulation grad_accum_steps gradient_accumulation grad_acc "
                                       "update_freq accumulate_gradients",
    "trainer.gradient_clip_val": "clip grad_clip max_grad_norm clip_grad_norm gradient_clipping clip_grad grad_norm "
                                 "clip_norm clip_val gradient_clip",
    "trainer.default_root_dir": "output_dir out output out_dir outdir save_dir run_dir runs_dir results_dir "
                                "work_dir exp_dir checkpoint_dir save_path output_path",
    "trainer.enable_progress_bar": "progress_bar disable_tqdm no_progress quiet verbose tqdm",
    "trainer.fast_dev_run": "debug dry_run smoke_test dev_run",
    "trainer.log_every_n_steps": "logging_steps log_every log_interval log_steps log_frequency",
    "trainer.profiler": "profile profiling",
    "trainer.max_time": "max_hours time_limit timeout max_minutes time",
    "trainer.limit_train_batches": "max_train_samples limit train_limit max_samples",
    "trainer.callbacks": "callback",
    "pace.validate_every": "eval_steps eval_every val_every evaluation_strategy eval_strategy eval_interval "
                           "val_interval eval_freq validate_every_n_steps validation_interval",
    "checkpoint.every_n_steps": "save_steps save_every save_interval save_freq save_strategy",
    "early_stopping.patience": "early_stopping_patience es_patience early_stop early_stopping_rounds",
    "seed_everything|data.seed": "seed random_seed random_state manual_seed rng_seed",
    "seeds": "num_seeds n_seeds runs repeats",
    "ckpt_path last": "resume resume_from_checkpoint resume_from restart auto_resume",
    "ckpt_path": "ckpt checkpoint_path load_from weights load load_checkpoint model_path from_checkpoint restore",
    "name": "run_name experiment experiment_name exp_name exp run version",
    "config": "config_file config_path cfg conf yaml config_name params",
    "recipe": "preset recipes",
    "predictions_file": "output_file out_file predictions_path save_predictions",
    "predictions": "output_format format",
    "top_k": "topk k",
    "predictions_top": "top",
    "threshold": "abstain abstention confidence min_confidence confidence_threshold null_score_diff_threshold",
}  # fmt: skip

ALIASES = {name: target for target, names in _CALLED.items() for name in names.split()}
"""Of each name the full key, with its value where that is meant, too; `|` stands between several."""
