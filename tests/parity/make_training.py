"""Makes training.safetensors: the costs of 200 training steps by PyTorch, in float64, for tests/training/training_parity.rs.

Run once, with the versions below, which the file carries too:

    python3 -m venv venv && venv/bin/pip install torch==2.15.0 numpy==2.4.6 safetensors==0.8.0
    venv/bin/python tests/parity/make_training.py

All networks start from the same weights and take the same mini-batches of the same images, the first of those in
examples/data. Each is written here as a PyTorch user would write it: torch.nn, autograd and torch.optim.
"""

import gzip
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.numpy import save_file
from torch import nn, optim

SIZES = [64, 16, 12, 10]
EXAMPLES, BATCH, STEPS = 160, 32, 200
HERE = Path(__file__).parent
rng = np.random.default_rng(20261125)


def digits(what, header):
    data = gzip.open(HERE / f"../../examples/data/digits-{what}-ubyte.gz").read()
    return np.frombuffer(data, np.uint8, offset=header)


def single(array):
    """Weights and targets are numbers of float32, so that both types start from the same."""
    return np.asarray(array, np.float32).astype(np.float64)


def make_data():
    """Images, labels, values between 0 and 1 for outputs that learn values, and the examples of each step."""
    pixels = digits("images-idx3", 16)[: EXAMPLES * SIZES[0]].reshape(EXAMPLES, SIZES[0])
    labels = digits("labels-idx1", 8)[:EXAMPLES]
    one_hot = np.eye(SIZES[-1])[labels]
    values = single(0.75 * one_hot + 0.25 * rng.random(one_hot.shape))
    epochs = [rng.permutation(EXAMPLES).reshape(-1, BATCH) for _ in range(STEPS * BATCH // EXAMPLES)]
    batches = np.concatenate(epochs).astype(np.uint8)
    return {"pixels": pixels.copy(), "labels": labels.copy(), "values": values, "batches": batches}


def make_weights():
    """By the names that Mlp::tensors() has; weights are inputs × outputs there."""
    weights = {}
    for layer, (inputs, outputs) in enumerate(zip(SIZES, SIZES[1:])):
        weights[f"layers.{layer}.weight"] = single(rng.normal(size=(inputs, outputs)) * np.sqrt(2 / inputs))
        weights[f"layers.{layer}.bias"] = single(0.1 * rng.normal(size=outputs))
        weights[f"layers.{layer}.gamma"] = single(1 + 0.1 * rng.normal(size=outputs))
        weights[f"layers.{layer}.beta"] = single(0.1 * rng.normal(size=outputs))
    return weights


def network(weights, activation, batch_norm=False):
    """Two hidden layers; batch norm comes before the activation, and in place of the bias."""
    modules = []
    for layer, (inputs, outputs) in enumerate(zip(SIZES, SIZES[1:])):
        of = lambda name: torch.tensor(weights[f"layers.{layer}.{name}"])
        is_last = layer == len(SIZES) - 2
        linear = nn.Linear(inputs, outputs, bias=is_last or not batch_norm, dtype=torch.float64)
        modules.append(linear)
        linear.weight.data = of("weight").t().contiguous()
        if linear.bias is not None:
            linear.bias.data = of("bias")
        else:
            norm = nn.BatchNorm1d(outputs, eps=1e-5, dtype=torch.float64)
            norm.weight.data, norm.bias.data = of("gamma"), of("beta")
            modules.append(norm)
        if not is_last:
            modules.append(activation)
    return nn.Sequential(*modules)


def penalty(net, term):
    """1/2m of the sum over all weights; biases are free."""
    return sum(term(module.weight).sum() for module in net if isinstance(module, nn.Linear)) / (2 * BATCH)


def cross_entropy(z, labels, values):
    return F.cross_entropy(z, labels)


def binary_cross_entropy(z, labels, values):
    return F.binary_cross_entropy_with_logits(z, values, reduction="sum") / len(z)


def squared_error(z, labels, values):
    return F.mse_loss(z, values, reduction="sum") / (2 * len(z))


def train(data, net, optimizer, loss=cross_entropy, term=None):
    x = torch.tensor(data["pixels"] / 16.0)
    labels, values = torch.tensor(data["labels"].astype(np.int64)), torch.tensor(data["values"])
    costs = []
    for batch in data["batches"].astype(np.int64):
        optimizer.zero_grad()
        cost = loss(net(x[batch]), labels[batch], values[batch])
        if term:
            cost = cost + penalty(net, term)
        cost.backward()
        optimizer.step()
        costs.append(cost.item())
    return np.array(costs)


def make_costs(data, weights):
    costs = {}

    def run(name, net, optimizer, **options):
        costs[name] = train(data, net, optimizer(net.parameters()), **options)

    def of(activation, **options):
        return network(weights, activation, **options)

    run("relu_sgd", of(nn.ReLU()), lambda w: optim.SGD(w, lr=0.1))
    run("tanh_momentum", of(nn.Tanh()), lambda w: optim.SGD(w, lr=0.05, momentum=0.9))
    run("gelu_adam", of(nn.GELU()), lambda w: optim.Adam(w, lr=0.01))
    rmsprop = lambda w: optim.RMSprop(w, lr=0.003, alpha=0.9, eps=1e-8)
    run("silu_batch_norm_rmsprop", of(nn.SiLU(), batch_norm=True), rmsprop)
    run("relu_l2_sgd", of(nn.ReLU()), lambda w: optim.SGD(w, lr=0.1), term=lambda w: 0.5 * w**2)
    nesterov = lambda w: optim.SGD(w, lr=0.1, momentum=0.9, nesterov=True)
    run("sigmoid_l1_nesterov", of(nn.Sigmoid()), nesterov, term=lambda w: 0.02 * w.abs())
    run("elu_adamw", of(nn.ELU()), lambda w: optim.AdamW(w, lr=0.01, weight_decay=0.1))
    run("leaky_relu_adam_decay", of(nn.LeakyReLU(0.01)), lambda w: optim.Adam(w, lr=0.01, weight_decay=0.01))
    gelu_tanh = nn.GELU(approximate="tanh")
    run("gelu_tanh_sigmoid_adam", of(gelu_tanh), lambda w: optim.Adam(w, lr=0.01), loss=binary_cross_entropy)
    run("softplus_linear_sgd", of(nn.Softplus(threshold=100)), lambda w: optim.SGD(w, lr=0.05), loss=squared_error)
    return costs


data, weights = make_data(), make_weights()
costs = make_costs(data, weights)
versions = {"torch": torch.__version__, "numpy": np.__version__}
arrays = {**data, **weights, **{f"cost.{name}": cost for name, cost in costs.items()}}
save_file(arrays, HERE / "training.safetensors", metadata=versions)
for name, cost in costs.items():
    print(f"{name:32} {cost[0]:.4f} → {cost[-5:].mean():.4f}")
print(versions)
