"""The page itself: Gradio and the standard library, nothing else, as `demo --save` copies this folder as it is."""
