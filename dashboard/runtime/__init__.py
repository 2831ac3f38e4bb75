"""What pages may ask: values in, values out. The only package that knows both Streamlit and the engine.

Pages name a model by its serial number and a trace by its key, and get frozen values that can be pickled: summaries,
views, results, handles of jobs. Every public function of the modules here is for them. Live models, traces, threads
and locks stay in `backend`, which no page imports; so a trace may as well live on another machine, or in a file.

The engine is imported inside the work, so the page is on screen before torch is.
"""
