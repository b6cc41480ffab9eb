"""Samplers of hyperparameters: the classic GA, the portfolio, and what builds them from a configuration.

A new sampler gets a file here and a name in ``build.py``; a new operator of the GA gets a private file.
"""

from search.samplers.allocation import Allocation, EvenAllocation
from search.samplers.build import SamplerConfig, build_sampler
from search.samplers.curve_gp import CurveGPSampler
from search.samplers.genetic import GeneticSampler
from search.samplers.keys import AUTHOR_KEY, FROM_PRIOR_KEY, PAUSED_KEY, STAGE_KEY
from search.samplers.portfolio import PortfolioSampler
from search.samplers.prior import PriorSampler
from search.samplers.seeded import TrialSeededSampler
from search.samplers.staged import StagedSampler

__all__ = [
    "AUTHOR_KEY",
    "FROM_PRIOR_KEY",
    "PAUSED_KEY",
    "STAGE_KEY",
    "Allocation",
    "CurveGPSampler",
    "EvenAllocation",
    "GeneticSampler",
    "PortfolioSampler",
    "PriorSampler",
    "SamplerConfig",
    "StagedSampler",
    "TrialSeededSampler",
    "build_sampler",
]
