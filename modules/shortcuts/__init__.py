"""What is changed in other libraries, all of it: each file says what it touches, of which version, why, how it is off.

How a network computes, and not what (`model.shortcuts`; `take_shortcuts` calls those that change a network):

- `packed_attention`: attention that keeps the documents of a pack apart; with it `varlen_attention` (FlashAttention),
  `document_groups` (without a kernel) and `cpu_attention` (in bfloat16 on a CPU);
- `unpadding`: encoders that compute no padding;
- `sparse_head`: heads that compute targets only;
- `dropout`: fewer random numbers on a CPU;
- `padding_check`: a question that is answered already;
- `static_shapes`: one shape for what is compiled.

What others keep for themselves, set right:

- `lightning_state`, `optimizer_state`: of Lightning, and of torch's optimizers and schedules;
- `validation_first`: runs that begin with a validation;
- `fresh_weights`: layers that start anew;
- `gpu_kernels`: what `estimate` runs in the place of a GPU.

What a process of the command line has changed as it starts is in `cli/process.py`. docs/speed.md lists them all.
"""
