"""Makes data.safetensors: what PyTorch and NumPy compute, in float64, for tests/kernels/parity.rs.

Run once, with the versions below, which the file carries too:

    python3 -m venv venv && venv/bin/pip install torch==2.15.0 numpy==2.4.6 safetensors==0.8.0
    venv/bin/python tests/parity/make.py
"""

from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.numpy import save_file

STEPS, EVERY, PARAMETERS = 100, 10, 37
rng = np.random.default_rng(20261124)
data = {}


def keep(**arrays):
    for name, array in arrays.items():
        array = array.detach().numpy() if torch.is_tensor(array) else np.asarray(array)
        data[name] = np.ascontiguousarray(array, dtype=np.float64)


def single(array):
    """Inputs are numbers of float32, so that both types start from the same."""
    return np.asarray(array, np.float32).astype(np.float64)


def leaf(array):
    return torch.tensor(array, dtype=torch.float64, requires_grad=True)


def activations():
    """Each function and its gradient, PyTorch's autograd's, on the same arguments."""
    x = single(np.concatenate([np.linspace(-12, 12, 193), [-40, -1e-3, -1e-9, 1e-9, 1e-3, 40]]))
    dy = single(rng.normal(size=x.size))
    keep(activation_x=x, activation_dy=dy)
    functions = {
        "relu": F.relu,
        "leaky_relu": lambda x: F.leaky_relu(x, 0.01),
        "elu": F.elu,
        "sigmoid": torch.sigmoid,
        "tanh": torch.tanh,
        "gelu": F.gelu,
        "gelu_tanh": lambda x: F.gelu(x, approximate="tanh"),
        "silu": F.silu,
        "softplus": lambda x: F.softplus(x, threshold=100),
        "erf": torch.erf,
        "erfc": torch.erfc,
        "exp": torch.exp,
        "exp_m1": torch.expm1,
    }
    for name, function in functions.items():
        at = leaf(x)
        y = function(at)
        y.backward(torch.tensor(dy))
        keep(**{name: y, f"{name}_grad": at.grad})
    positive = single(np.exp(x))
    keep(positive=positive, log=np.log(positive), ln_1p=np.log1p(positive))


def softmax():
    """Loss and gradient against labels, smoothed labels and probabilities; softmax and its relatives."""
    rows, classes = 19, 11
    z, dy = leaf(single(3 * rng.normal(size=(rows, classes)))), torch.tensor(single(rng.normal(size=(rows, classes))))
    labels = rng.integers(classes, size=rows)
    soft = single(rng.dirichlet(np.ones(classes), size=rows))
    keep(z=z, softmax_dy=dy, labels=labels, soft=soft, logsumexp=torch.logsumexp(z, 1))
    for name, function in {"softmax": F.softmax, "log_softmax": F.log_softmax}.items():
        y = function(z, 1)
        y.backward(dy)
        keep(**{name: y, f"{name}_grad": z.grad})
        z.grad = None
    targets = torch.tensor(labels)
    losses = {
        "labels": lambda: F.cross_entropy(z, targets),
        "smoothed": lambda: F.cross_entropy(z, targets, label_smoothing=0.1),
        "probabilities": lambda: F.cross_entropy(z, torch.tensor(soft)),
    }
    for name, function in losses.items():
        loss = function()
        loss.backward()
        keep(**{f"loss_{name}": loss, f"loss_{name}_grad": z.grad})
        z.grad = None


def normalisation():
    """Batch norm and layer norm, forward and backward; running statistics with bias correction (NumPy)."""
    rows, columns, batches, beta = 23, 9, 6, 0.9
    x, dy = single(rng.normal(1.5, 2, size=(batches, rows, columns))), single(rng.normal(size=(rows, columns)))
    gamma, shift = single(rng.normal(size=columns)), single(rng.normal(size=columns))
    keep(norm_x=x[0], norm_dy=dy, norm_gamma=gamma, norm_beta=shift, norm_batches=x)
    for name in ["batch", "layer"]:
        at, g, b = leaf(x[0]), leaf(gamma), leaf(shift)
        if name == "batch":
            y = F.batch_norm(at, None, None, g, b, training=True, eps=1e-5)
        else:
            y = F.layer_norm(at, (columns,), g, b, eps=1e-5)
        y.backward(torch.tensor(dy))
        keep(**{f"{name}_y": y, f"{name}_dx": at.grad, f"{name}_dgamma": g.grad, f"{name}_dbeta": b.grad})
    mean, variance = np.zeros(columns), np.zeros(columns)
    for batch in x:
        mean = beta * mean + (1 - beta) * batch.mean(0)
        variance = beta * variance + (1 - beta) * batch.var(0, ddof=1)
    mean, variance = mean / (1 - beta**batches), variance / (1 - beta**batches)
    at = torch.tensor(x[0])
    y = F.batch_norm(at, torch.tensor(mean), torch.tensor(variance), torch.tensor(gamma), torch.tensor(shift), eps=1e-5)
    keep(running_mean=mean, running_variance=variance, inference_y=y)
    keep(standard=(x[0] - x[0].mean(0)) / x[0].std(0))


def optimizers():
    """Weights after every tenth of 100 steps with given gradients: PyTorch's optimizers, and in NumPy what it lacks."""
    start = single(rng.normal(size=PARAMETERS))
    gradients = single(rng.normal(size=(STEPS, PARAMETERS)) * np.logspace(-3, 2, PARAMETERS))
    gradients[:, 3] = 0
    keep(w=start, dw=gradients)

    def run(name, step):
        weights = [step(t, g) for t, g in enumerate(gradients, 1)]
        keep(**{name: weights[EVERY - 1 :: EVERY]})

    def of_torch(name, make):
        w = leaf(start)
        optimizer = make([w])

        def step(_, g):
            w.grad = torch.tensor(g)
            optimizer.step()
            return w.detach().numpy().copy()

        run(name, step)

    def of_numpy(name, update):
        w, memory = start.copy(), (np.zeros(PARAMETERS), np.zeros(PARAMETERS))

        def step(t, g):
            w[:] = update(t, w, g, *memory)
            return w.copy()

        run(name, step)

    optim = torch.optim
    of_torch("sgd", lambda w: optim.SGD(w, lr=0.01))
    of_torch("sgd_l2", lambda w: optim.SGD(w, lr=0.01, weight_decay=0.1))
    of_torch("momentum_classic", lambda w: optim.SGD(w, lr=0.01, momentum=0.9))
    of_torch("nesterov", lambda w: optim.SGD(w, lr=0.01, momentum=0.9, nesterov=True))
    of_torch("rmsprop", lambda w: optim.RMSprop(w, lr=0.01, alpha=0.9, eps=1e-8))
    of_torch("adam", lambda w: optim.Adam(w, lr=0.01))
    of_torch("adam_l2", lambda w: optim.Adam(w, lr=0.01, weight_decay=0.1))
    of_torch("adamw", lambda w: optim.AdamW(w, lr=0.01, weight_decay=0.1))

    def momentum(t, w, g, v, _):
        v[:] = 0.9 * v + 0.1 * g
        return w - 0.01 * v

    def rmsprop_inside(t, w, g, s, _):
        s[:] = 0.9 * s + 0.1 * g * g
        return w - 0.01 * g / np.sqrt(s + 1e-8)

    def adam_inside(t, w, g, v, s):
        v[:], s[:] = 0.9 * v + 0.1 * g, 0.999 * s + 0.001 * g * g
        return w - 0.01 * (v / (1 - 0.9**t)) / np.sqrt(s / (1 - 0.999**t) + 1e-8)

    of_numpy("momentum_average", momentum)
    of_numpy("rmsprop_inside", rmsprop_inside)
    of_numpy("adam_inside", adam_inside)
    of_numpy("sgd_l1", lambda t, w, g, v, s: w - 0.01 * (g + 0.1 * np.sign(w)))
    of_numpy("sgd_clipped", lambda t, w, g, v, s: w - 0.01 * g * min(1, 50 / np.linalg.norm(g)))


def reductions():
    x = single(rng.normal(100, 1, size=(31, 29)))
    keep(reduce_x=x, sum=x.sum(), row_sums=x.sum(1), column_sums=x.sum(0), norms=np.linalg.norm(x, axis=1))
    keep(norm1=np.abs(x).sum(), column_variances=x.var(0), row_means=x.mean(1), dot=x[0] @ x[1])
    keep(row_maxima=x.max(1), row_argmaxima=x.argmax(1))


for make in [activations, softmax, normalisation, optimizers, reductions]:
    make()
versions = {"torch": torch.__version__, "numpy": np.__version__}
save_file(data, Path(__file__).with_name("data.safetensors"), metadata=versions)
print(f"{len(data)} arrays, {versions}")
