"""What `demo --save` writes: an application of transformers and Gradio alone, for a hosted space.

`app.py` and one of the predictors are copied as they are; a predictor answers in the form of the module's own
`predict_step`, and the tests compare the two.
"""
