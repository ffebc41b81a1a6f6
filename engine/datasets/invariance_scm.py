"""Six structural causal models in which the true counterfactual of every case is known: the synthetic study of CIT-LR
(Appendix F.1).

    Z_T ~ N(0, I_k)                                                the patient; the attribute has no part in it
    A   ~ uniform over its values, or leaning on Z_T[0]            the attribute
    Z_t = M_t(A) Z_(t+1) + xi_t,   xi_t ~ N(0, sigma^2 I)          t = T-1, ..., 1
    X   = M_X Z_1 + r + eps,       eps  ~ N(0, sigma^2 I)          what a classifier sees
    Y   = 1[transform(Z_T) > 0]                                    the finding

The paper's text leaves M_t open; its authors' code draws M_t(1) and sets every entry of M_t(0) to 1 / k, which wipes
out most of Z_T. Here all are drawn alike and `strength` turns them away from M_t(0). At strength 0 all M_t(a) are one
matrix, so X under every do(A = a) is the same number, and *every* function of X is invariant in the sense of Definition
4.1, exactly and patient by patient. The authors' counterfactuals come from newly drawn matrices; these come from the
same mechanisms and the same xi and eps.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

KINDS = ("linear", "quadratic", "exponential", "interactive", "log-exponential", "sin")
WEIGHTS = {"linear": 1.0, "quadratic": 4.0, "exponential": 1.0, "interactive": 1.0, "log-exponential": 1.0, "sin": 1.0}
BIASES = {
    "linear": -1.5,
    "quadratic": 20.0,
    "exponential": 10.0,
    "interactive": 0.0,
    "log-exponential": 5.0,
    "sin": 0.0,
}
LEANS = ("line", "product", "threshold", "finding")  # what of Z_T an attribute may lean on
FLOOR = 1e-4  # of the logarithm, as in the authors' code
TRIES = 500  # of weights and bias; at k = 32 a handful is enough
PREVALENCE = (0.25, 0.75)  # weights and bias are drawn again until the share with the finding lies here


@dataclass(frozen=True)
class Cases:
    """Cases drawn from a structural model.

    Attributes:
        x: (n, k) float64, what is seen.
        attribute: (n,) int, 0 to m - 1.
        representation: (n, k) float64, Z_T: what the attribute does not touch, a valid adjustment set.
        finding: (n,) int, 0 or 1, made from Z_T alone.
        under: (n, m, k) float64, X under do(A = a) with the same noise; under[i, attribute[i]] is x[i].
    """

    x: np.ndarray
    attribute: np.ndarray
    representation: np.ndarray
    finding: np.ndarray
    under: np.ndarray

    def counterfactual(self) -> np.ndarray:
        """(n, k): X under the next value of the attribute (the other one of two) with the same noise."""
        return self.under[np.arange(len(self.x)), (self.attribute + 1) % self.under.shape[1]]


class StructuralModel:
    """One structural model with its drawn parameters.

    Args:
        kind: one of `KINDS`.
        strength: 0 (the attribute changes nothing) to 1 (each value has matrices of its own).
        seed: of the parameters; the same seed gives the same parameters but for the turn at every strength.
        values: m, how many values the attribute has.
        confounding: 0 for an attribute independent of Z_T; else the log-odds of its values per unit of what it leans
            on.
        leans: what that is: "line" Z_T[0], "product" Z_T[0] Z_T[1], "threshold" 1 or -1 by Z_T[0] > 0.5, "finding" 1 or
            -1 by Y.
        k: length of Z and of X. steps: T. sigma: noise.

    Raises:
        ValueError: for an unknown kind or a number out of its range.
    """

    def __init__(
        self,
        kind: str,
        strength: float,
        seed: int = 0,
        values: int = 2,
        confounding: float = 0.0,
        k: int = 32,
        steps: int = 3,
        sigma: float = 0.01,
        leans: str = "line",
    ):
        if leans not in LEANS:
            raise ValueError(f"an attribute leans on one of {', '.join(LEANS)}, got {leans!r}")
        if kind not in KINDS:
            raise ValueError(f"no structural model is called {kind!r}; there are {', '.join(KINDS)}.")
        if not 0 <= strength <= 1:
            raise ValueError(f"strength must lie between 0 and 1, got {strength}")
        if values < 2 or steps < 2 or k < 2:
            raise ValueError(f"values, steps and k must each be at least 2, got {values}, {steps} and {k}")
        self.kind, self.strength, self.values, self.confounding = kind, strength, values, confounding
        self.k, self.steps, self.sigma, self.leans = k, steps, sigma, leans
        random = np.random.default_rng([seed, KINDS.index(kind)])
        self.mixing = random.uniform(-1, 1, (k, k))  # M_X
        self.offset = random.uniform(-1, 1, k)  # r
        drawn = rows_to_one(random.uniform(-10, 10, (steps - 1, values, k, k)))
        turn = math.pi / 2 * strength
        turned = rows_to_one(math.cos(turn) * drawn[:, :1] + math.sin(turn) * drawn[:, 1:])
        self.transitions = np.concatenate(
            [drawn[:, :1], turned if strength else np.repeat(drawn[:, :1], values - 1, 1)], axis=1
        )
        trial = random.standard_normal((4000, k))
        for _ in range(TRIES):
            shape = (k, k) if kind == "interactive" else (k,)
            self.weights = random.uniform(-1, 1, shape) * WEIGHTS[kind]
            self.bias = random.normal(BIASES[kind], 1)
            if PREVALENCE[0] <= (self.logit(trial) > 0).mean() <= PREVALENCE[1]:
                break
        else:  # few dimensions cannot reach the paper's biases: the last weights, with a bias that calls 40 % positive
            self.bias = 0.0
            self.bias = -float(np.quantile(self.logit(trial), 0.6))

    def logit(self, z: np.ndarray) -> np.ndarray:
        """The finding's log-odds (n,) from Z_T (n, k), by the six equations of Appendix F.1."""
        w = self.weights
        if self.kind == "interactive":  # sum over i != j of w_ij Z_i Z_j
            return ((z @ (w - np.diag(np.diag(w)))) * z).sum(1) + self.bias
        if self.kind == "log-exponential":
            return np.log(np.maximum(z @ w, FLOOR)) + self.bias
        bent = {"linear": lambda z: z, "quadratic": np.square, "exponential": np.exp, "sin": np.sin}[self.kind](z)
        return bent @ w + self.bias

    def _leant_on(self, z: np.ndarray) -> np.ndarray:
        """(n,) what the attribute leans on."""
        if self.leans == "product":
            return z[:, 0] * z[:, 1]
        if self.leans == "line":
            return z[:, 0]
        return np.where(z[:, 0] > 0.5 if self.leans == "threshold" else self.logit(z) > 0, 1.0, -1.0)

    def draw(self, n: int, seed: int) -> Cases:
        """n cases with all their counterfactuals; the same seed gives the same patients at every strength."""
        random = np.random.default_rng(seed)
        z = random.standard_normal((n, self.k))
        lean = self.confounding * self._leant_on(z)[:, None] * np.linspace(-0.5, 0.5, self.values)  # (n, m) log-odds
        attribute = np.argmax(lean + random.gumbel(size=(n, self.values)), axis=1)
        under = np.repeat(z[:, None], self.values, 1)  # (n, m, k)
        for transition in self.transitions:
            xi = random.normal(0, self.sigma, (n, 1, self.k))
            under = np.matmul(under.swapaxes(0, 1), transition.swapaxes(1, 2)).swapaxes(0, 1) + xi
        under = under @ self.mixing.T + self.offset + random.normal(0, self.sigma, (n, 1, self.k))
        return Cases(under[np.arange(n), attribute], attribute, z, (self.logit(z) > 0).astype(int), under)


def rows_to_one(matrices: np.ndarray) -> np.ndarray:
    """Each row divided by the sum of its absolute values, so that steps do not blow up."""
    return matrices / np.abs(matrices).sum(-1, keepdims=True)
