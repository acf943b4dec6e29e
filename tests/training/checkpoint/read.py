"""Reads the checkpoint of python.rs beside it as a user of PyTorch would, and prints the predictions for its 23 examples."""

import json
import sys

import numpy as np
from safetensors import safe_open
from safetensors.numpy import load_file

path = sys.argv[1]
tensors = load_file(path)
with safe_open(path, framework="numpy") as file:
    metadata = file.metadata()
run = json.loads(metadata["roofline"])

assert list(metadata) == ["roofline"], metadata
assert run["version"] == 2 and run["element"] == "f64", run
network = run["network"]
assert (network["inputs"], network["outputs"], network["output"], network["steps"]) == (3, 2, "softmax", 2), network
assert network["seed"] == 7 and network["penalty"] == {"kind": "l2", "lambda": 0.25}, network
(hidden,) = network["hidden"]
assert (hidden["units"], hidden["activation"], hidden["keep_prob"]) == (2, "tanh", 0.5), hidden
assert run["optimizer"]["rule"].startswith("adam:") and run["optimizer"]["clip_norm"] == 3.5, run
assert run["optimizer"]["moments"] == ["v", "s"] and run["optimizer"]["steps"] == 2, run
assert run["position"] == {"seed": 3, "epoch": 4, "batch": 2, "batch_size": 5}, run
assert run["classes"] == ['no "quotes"', "ja, \u00e4\n"] and run["configuration"] == {"epochs": "5"}, run

parameters = {
    "layers.0.weight": (2, 3),
    "layers.0.gamma": (2,),
    "layers.0.beta": (2,),
    "layers.1.weight": (2, 2),
    "layers.1.bias": (2,),
}
expected = dict(parameters)
for moment in ("v", "s"):
    expected.update({f"optimizer.{moment}.{name}": shape for name, shape in parameters.items()})
expected.update({"layers.0.running_mean": (2,), "layers.0.running_variance": (2,)})
expected.update({"normalization.mean": (3,), "normalization.variance": (3,)})
assert {name: tensor.shape for name, tensor in tensors.items()} == expected, tensors
assert all(tensor.dtype == np.float64 for tensor in tensors.values())


def linear(x, weight, bias):
    """torch.nn.Linear: its weight is units x inputs."""
    return x @ weight.T + bias


rows = [[(i * 7 + j * 5) % 11 * 0.37 + j for j in range(3)] for i in range(23)]
x = (np.array(rows) - tensors["normalization.mean"]) / np.sqrt(tensors["normalization.variance"])

z = linear(x, tensors["layers.0.weight"], 0.0)
correction = 1 - hidden["batch_norm"]["beta"] ** hidden["batch_norm"]["steps"]
mean, variance = (tensors[f"layers.0.running_{name}"] / correction for name in ("mean", "variance"))
u = (z - mean) / np.sqrt(variance + 1e-5) * tensors["layers.0.gamma"] + tensors["layers.0.beta"]
logits = linear(np.tanh(u), tensors["layers.1.weight"], tensors["layers.1.bias"])
probabilities = np.exp(logits - logits.max(axis=1, keepdims=True))
probabilities /= probabilities.sum(axis=1, keepdims=True)
for row in probabilities:
    print(*(repr(float(number)) for number in row))
