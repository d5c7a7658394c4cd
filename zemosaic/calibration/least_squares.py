"""One least-squares problem for the sky and all frames that look at it.

Every observation o is of one item (a star, a patch of sky) by one frame:

``value[o] = factor[o] * item[i(o)] + frame_basis[o] . frame[f(o)] + shared_basis[o] . shared[g(o)]``

The items are eliminated exactly (variable projection); what remains is solved by conjugate gradients.  Their
preconditioner is the whole matrix where frames that hang together are few, else one small block per frame and the
common sky of frames that look at one place (`zemosaic.calibration.solver.coarse_level`): cost and memory are
proportional to the observations, so that 50,000 frames are no other problem than 10.  Outliers are weighed down
iteratively (Huber's weights).

The same form serves photometry (item = star's magnitude, frame = zero point) and background
(item = light of a sky cell, frame = plane of its sky).  Cf. Padmanabhan et al. 2008, ApJ 674, 1217.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve
from scipy.sparse import bmat, csr_matrix
from scipy.sparse.csgraph import connected_components
from scipy.sparse.linalg import LinearOperator, cg

from zemosaic.arrays import Float64s, median
from zemosaic.calibration.solver.coarse_level import CoarseLevel, Observations, coarse_level

__all__ = ["JointProblem", "JointSolution", "left_by_all_other_terms", "solve_joint"]


TOLERANCE, MOST_STEPS = 1e-7, 3000
"""What a chain of frames knows least, a bend from one end to the other, is what conjugate gradients find last: at 1e-5
they stopped before it."""
EXACT = 1e-10
"""The same where the preconditioner knows the bends too."""
MAX_DENSE_UNKNOWNS, MAX_DENSE_PAIRS = 2000, 4_000_000
"""Unknowns and pairs of observations of the frames that hang together, up to which their matrix is written down."""
JITTER = 1e-10
"""Part of the diagonal that keeps the factors of such a matrix real."""


@dataclass(frozen=True)
class JointProblem:
    """Observations; all arrays have the observation as their first axis."""

    item: NDArray[np.int64]
    frame: NDArray[np.int64]
    factor: Float64s
    frame_basis: Float64s
    """Shape (n, frame terms)."""
    group: NDArray[np.int64]
    """Which frames share terms."""
    shared_basis: NDArray[np.floating]
    """Shape (n, shared terms), possibly no terms."""
    value: Float64s
    sigma: Float64s
    """Standard error of each value."""
    n_items: int
    n_frames: int
    frame_precision: Float64s
    """Prior 1 / sigma**2 of each frame term about zero; holds what the observations cannot.
    Shape (frame terms,) or (n_frames, frame terms)."""
    shared_prior: Float64s
    """Values expected of the shared terms, shape (groups, shared terms)."""
    shared_precision: Float64s
    """1 / sigma**2 of that expectation, same shape."""


@dataclass(frozen=True)
class JointSolution:
    """Terms and what they leave."""

    item: Float64s
    frame: Float64s
    """Shape (n_frames, frame terms)."""
    shared: Float64s
    """Shape (groups, shared terms)."""
    residual: Float64s
    """Observed minus modelled."""
    weight: Float64s
    """1 / sigma**2 after outliers were weighed down."""
    steps: int = 0
    """Of conjugate gradients, in all rounds."""


def solve_joint(
    problem: JointProblem, *, rounds: int = 4, huber: float = 2.0, previous: JointSolution | None = None
) -> JointSolution:
    """Solve, weighing outliers down between rounds.

    Parameters
    ----------
    problem : JointProblem
    rounds : int
        Solutions; before each but the first, outliers are weighed down.
    huber : float
        Residual, in units of sigma and of the robust scatter where that is larger, from which weights fall (Huber 1964,
        Ann. Math. Statist. 35, 73).
    previous : JointSolution, optional
        Of nearly the same problem; where the first solution starts from.

    Returns
    -------
    JointSolution
    """
    weight = problem.sigma**-2
    # The weights change too little to be worth another preconditioner.
    preconditioner, tolerance = _Eliminated(problem, weight).preconditioner()
    start = np.zeros(problem.n_frames * problem.frame_basis.shape[1] + problem.shared_prior.size)
    if previous is not None:
        start[: previous.frame.size] = previous.frame.ravel()
    solution, steps = None, 0
    for _ in range(max(1, rounds)):
        solution = _solve_weighted(problem, weight, start, preconditioner, tolerance)
        start = np.concatenate([solution.frame.ravel(), solution.shared.ravel()])
        scaled = np.abs(solution.residual) / problem.sigma
        spread = max(1.0, 1.4826 * float(median(scaled)))
        weight = problem.sigma**-2 * np.minimum(1.0, huber * spread / np.maximum(scaled, 1e-12))
        steps += solution.steps
    assert solution is not None
    return replace(solution, weight=weight, steps=steps)


def left_by_all_other_terms(problem: JointProblem, weight: Float64s, columns: Float64s) -> Float64s:
    """Return what items, frames and shared terms leave of further columns: these hold the information on them.

    Parameters
    ----------
    problem : JointProblem
    weight : ndarray, shape (n,)
    columns : ndarray, shape (n, k)
    """
    system = _Eliminated(problem, weight)
    preconditioner, tolerance = system.preconditioner()
    size = system.size + problem.shared_prior.size
    operator = LinearOperator((size, size), matvec=system.matvec)
    left = np.empty(columns.shape)
    for k, column in enumerate(columns.T):
        x, _ = cg(operator, system.back(system.project(column)), rtol=tolerance, maxiter=MOST_STEPS, M=preconditioner)
        left[:, k] = system.project(column - system.forward(x))
    return left


class _Eliminated:
    """The normal equations of frame and shared terms with the items projected out."""

    def __init__(self, problem: JointProblem, weight: Float64s) -> None:
        self.problem, self.weight = problem, weight
        self.terms = problem.frame_basis.shape[1]
        self.size = problem.n_frames * self.terms
        self.weighted_factor = weight * problem.factor
        norm = np.bincount(problem.item, self.weighted_factor * problem.factor, problem.n_items)
        self.inverse_norm = np.where(norm > 0, 1.0 / np.where(norm > 0, norm, 1.0), 0.0)

    def forward(self, x: Float64s) -> Float64s:
        """Return the modelled part of frame and shared terms at each observation."""
        p = self.problem
        return np.asarray(_modelled(p.frame, p.group, p.frame_basis, p.shared_basis, *self.parts(x)), np.float64)

    def parts(self, x: Float64s) -> tuple[Float64s, Float64s]:
        """Return frame and shared terms, each in a row per frame or group."""
        return x[: self.size].reshape(-1, self.terms), x[self.size :].reshape(self.problem.shared_prior.shape)

    def items(self, values: Float64s) -> Float64s:
        """Return the best item values for what is left at each observation."""
        sums = np.bincount(self.problem.item, self.weighted_factor * values, self.problem.n_items)
        return np.asarray(sums, np.float64) * self.inverse_norm

    def project(self, values: Float64s) -> Float64s:
        """Take the items' share out."""
        return values - self.problem.factor * self.items(values)[self.problem.item]

    def back(self, values: Float64s) -> Float64s:
        """Return basis^T W values."""
        p = self.problem
        weighted = self.weight * values
        frames = _sums(p.frame, weighted, p.frame_basis, p.n_frames)
        return np.concatenate([frames.ravel(), _sums(p.group, weighted, p.shared_basis, len(p.shared_prior)).ravel()])

    def prior(self, x: Float64s) -> Float64s:
        frames, shared = self.parts(x)
        p = self.problem
        return np.concatenate([(frames * p.frame_precision).ravel(), (shared * p.shared_precision).ravel()])

    def matvec(self, x: Float64s) -> Float64s:
        """Return ``back(project(forward(x))) + prior(x)``, in two walks over the observations."""
        p = self.problem
        bases = p.frame_basis, p.shared_basis
        out = _normal(p.item, p.frame, p.group, p.factor, self.weight, *bases, self.inverse_norm, *self.parts(x))
        return np.asarray(out + self.prior(x), np.float64)

    def preconditioner(self) -> tuple[LinearOperator, float]:
        """Return what nearly inverts the equations, and how exactly they can be solved with it."""
        p = self.problem
        inverse = np.linalg.inv(_blocks(p.frame, self.weight, p.frame_basis, p.frame_precision, p.n_frames))
        groups = len(p.shared_prior)
        shared_inverse = np.linalg.inv(_blocks(p.group, self.weight, p.shared_basis, p.shared_precision, groups))
        factors, whole = self._factors()

        coarse = None if whole else self._coarse_level([members for members, _ in factors])

        def apply(x: Float64s) -> Float64s:
            given, shared = self.parts(x)
            frames = np.einsum("fab,fb->fa", inverse, given)
            for members, factor in factors:
                frames[members] = cho_solve(factor, given[members].ravel(), check_finite=False).reshape(-1, self.terms)
            if coarse is None:
                common = np.einsum("gst,gt->gs", shared_inverse, shared)
            else:
                correction, common = coarse.apply(given, shared)
                frames += correction
            return np.concatenate([frames.ravel(), common.ravel()])

        operator = LinearOperator((self.size + p.shared_prior.size,) * 2, matvec=apply)
        return operator, EXACT if whole else TOLERANCE

    def _coarse_level(self, solved: Sequence[NDArray[np.int64]]) -> CoarseLevel | None:
        """Return the coarse level of the frames whose matrix is too large to be written down."""
        p = self.problem
        chosen = np.ones(p.n_frames, bool)
        for members in solved:
            chosen[members] = False
        precision = np.broadcast_to(p.frame_precision, (p.n_frames, self.terms))
        observations = Observations(
            item=p.item,
            frame=p.frame,
            group=p.group,
            factor=p.factor,
            weight=self.weight,
            basis=p.frame_basis,
            shared_basis=p.shared_basis,
            n_items=p.n_items,
            n_frames=p.n_frames,
            frame_precision=precision,
            shared_precision=p.shared_precision,
        )
        return coarse_level(observations, chosen)

    def _factors(self) -> tuple[list[tuple[NDArray[np.int64], tuple[Float64s, bool]]], bool]:
        """Return the Cholesky factors of frames that hang together, where they are few, and whether these are all."""
        p, factors, whole = self.problem, [], True
        links = csr_matrix((np.ones(len(p.item)), (p.frame, p.item)), shape=(p.n_frames, p.n_items))
        _, label = connected_components(bmat([[None, links], [links.T, None]]), directed=False)
        label = label[: p.n_frames]
        order = np.argsort(p.item, kind="stable")
        for k in np.unique(label[p.frame]):
            members, own = np.flatnonzero(label == k), order[label[p.frame[order]] == k]
            _, start, number = np.unique(p.item[own], return_index=True, return_counts=True)
            if len(members) * self.terms > MAX_DENSE_UNKNOWNS or (number**2).sum() > MAX_DENSE_PAIRS:
                whole = False
                continue
            local = np.searchsorted(members, p.frame[own])
            matrix = _normal_matrix(
                np.append(start, len(own)), local, p.factor[own], self.weight[own], p.frame_basis[own], len(members)
            )
            precision = np.broadcast_to(p.frame_precision, (p.n_frames, self.terms))[members].ravel()
            diagonal = np.diag_indices_from(matrix)
            matrix[diagonal] = (matrix[diagonal] + precision) * (1.0 + JITTER) + 1e-12
            factors.append((members, cho_factor(matrix, lower=True, overwrite_a=True, check_finite=False)))
        return factors, whole


@njit(cache=True, error_model="numpy", nogil=True)
def _normal_matrix(start, frame, factor, weight, basis, frames):  # type: ignore[no-untyped-def]
    """Return the lower half of the normal matrix of frame terms, items eliminated; observations lie item by item."""
    terms = basis.shape[1]
    out = np.zeros((frames * terms, frames * terms))
    for i in range(len(start) - 1):
        norm = 0.0
        for a in range(start[i], start[i + 1]):
            norm += weight[a] * factor[a] * factor[a]
        for a in range(start[i], start[i + 1]):
            for b in range(start[i], a + 1):
                scale = -weight[a] * factor[a] * weight[b] * factor[b] / norm
                if a == b:
                    scale += weight[a]
                twice = a != b and frame[a] == frame[b]
                low, high = (a, b) if frame[a] >= frame[b] else (b, a)
                row, column = frame[low] * terms, frame[high] * terms
                for t in range(terms):
                    for u in range(terms):
                        product = basis[low, t] * basis[high, u]
                        if twice:
                            product += basis[high, t] * basis[low, u]
                        out[row + t, column + u] += scale * product
    return out


@njit(cache=True, error_model="numpy", nogil=True)
def _sums(index, weight, basis, number):  # type: ignore[no-untyped-def]
    """Return the sums of weighted terms per frame or group, shape (number, terms)."""
    out = np.zeros((number, basis.shape[1]))
    for o in range(len(index)):
        for t in range(basis.shape[1]):
            out[index[o], t] += weight[o] * basis[o, t]
    return out


def _blocks(
    index: NDArray[np.int64], weight: Float64s, basis: NDArray[np.floating], precision: Float64s, number: int
) -> Float64s:
    """Return the normal matrices of frames or groups by themselves, shape (number, terms, terms)."""
    terms = basis.shape[1]
    blocks = np.zeros((number, terms, terms))
    for a in range(terms):
        for b in range(a, terms):
            products = weight * basis[:, a] * basis[:, b]
            blocks[:, a, b] = blocks[:, b, a] = np.bincount(index, products, number)
    blocks[:, range(terms), range(terms)] += precision + 1e-12
    return blocks


@njit(cache=True, error_model="numpy", nogil=True)
def _modelled(frame, group, basis, shared_basis, frames, shared):  # type: ignore[no-untyped-def]
    """Return what frame and shared terms make of each observation."""
    value = np.zeros(frame.size)
    for o in range(frame.size):
        for t in range(basis.shape[1]):
            value[o] += basis[o, t] * frames[frame[o], t]
        for t in range(shared_basis.shape[1]):
            value[o] += shared_basis[o, t] * shared[group[o], t]
    return value


@njit(cache=True, error_model="numpy", nogil=True)
def _normal(item, frame, group, factor, weight, basis, shared_basis, inverse_norm, frames, shared):  # type: ignore[no-untyped-def]
    """Return basis^T W (values less the items' share) of the values that terms make."""
    n, terms, extra = item.size, basis.shape[1], shared_basis.shape[1]
    value = _modelled(frame, group, basis, shared_basis, frames, shared)
    light = np.zeros(inverse_norm.size)
    for o in range(n):
        light[item[o]] += weight[o] * factor[o] * value[o]
    light *= inverse_norm
    out = np.zeros(frames.size + shared.size)
    for o in range(n):
        rest = weight[o] * (value[o] - factor[o] * light[item[o]])
        first = frame[o] * terms
        for t in range(terms):
            out[first + t] += rest * basis[o, t]
        first = frames.size + group[o] * extra
        for t in range(extra):
            out[first + t] += rest * shared_basis[o, t]
    return out


def _solve_weighted(
    problem: JointProblem, weight: Float64s, start: Float64s, preconditioner: LinearOperator, tolerance: float
) -> JointSolution:
    system = _Eliminated(problem, weight)
    size = system.size + problem.shared_prior.size
    right = system.back(system.project(problem.value))
    right[system.size :] += (problem.shared_precision * problem.shared_prior).ravel()
    operator = LinearOperator((size, size), matvec=system.matvec)
    steps: list[None] = []
    x, _ = cg(
        operator,
        right,
        x0=start,
        rtol=tolerance,
        maxiter=MOST_STEPS,
        M=preconditioner,
        callback=lambda _: steps.append(None),
    )
    left = problem.value - system.forward(x)
    items = system.items(left)
    frames, shared = system.parts(x)
    return JointSolution(
        item=items,
        frame=frames,
        shared=shared,
        residual=left - problem.factor * items[problem.item],
        weight=weight,
        steps=len(steps),
    )
