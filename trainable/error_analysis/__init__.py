"""Error analysis: what is found, what is missed, what is taken for what, what that costs, and which labels may lack.

It looks at raw predictions (:mod:`trainable.raw_predictions`), so the network runs once. The modules, in the order in
which they are used: ``working`` (settings, and who says so), ``pictures`` (NMS), ``matching``, ``sizes``, ``quality``
(precision, recall, AP), ``confusion``, ``kinds`` and ``costs`` (TIDE), ``missing``, ``analysis`` (all figures),
``examples``, ``charts``, ``sections`` and ``write`` (files), ``run`` (all of it).
"""

from trainable.error_analysis.analysis import Analysis
from trainable.error_analysis.missing import MissingRules
from trainable.error_analysis.run import ErrorOptions, analyse_errors

__all__ = ["Analysis", "ErrorOptions", "MissingRules", "analyse_errors"]
