"""Samplers of hyperparameters: the classic GA, the portfolio, and what builds them from a configuration.

A new sampler gets a file here and a class of options in ``members.py``; a new operator of the GA gets a private file.
"""

from search.samplers.allocation import Allocation, CreditAllocation, EvenAllocation
from search.samplers.build import FINITE, SamplerConfig, build_sampler
from search.samplers.credit import rewards
from search.samplers.curve_gp import CurveGPSampler
from search.samplers.genetic import GeneticSampler
from search.samplers.grid import GridSampler
from search.samplers.keys import AUTHOR_KEY, FROM_PRIOR_KEY, PAUSED_KEY, STAGE_KEY
from search.samplers.portfolio import PortfolioSampler
from search.samplers.prior import PriorSampler
from search.samplers.seeded import TrialSeededSampler
from search.samplers.staged import StagedSampler

__all__ = [
    "AUTHOR_KEY",
    "FINITE",
    "FROM_PRIOR_KEY",
    "PAUSED_KEY",
    "STAGE_KEY",
    "Allocation",
    "CreditAllocation",
    "CurveGPSampler",
    "EvenAllocation",
    "GeneticSampler",
    "GridSampler",
    "PortfolioSampler",
    "PriorSampler",
    "SamplerConfig",
    "StagedSampler",
    "TrialSeededSampler",
    "build_sampler",
    "rewards",
]
