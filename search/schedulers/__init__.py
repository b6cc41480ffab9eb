"""When a trial is paused, promoted or stopped: rules that know neither Ray nor the study, and what runs Ray by them."""
