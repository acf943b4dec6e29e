"""PyTorch beside our benches: vector kernels on one thread, in nanoseconds an element, and the training step of 784-256-128-10,
ReLU, Adam, float32, on one thread and on all, in samples/s.

    python3 -m venv venv && venv/bin/pip install torch==2.15.0
    venv/bin/python benches/peers/pytorch.py functions rows optimizers    # cargo bench --bench activation|softmax|norm|optim
    venv/bin/python benches/peers/pytorch.py train_step                   # cargo bench --bench train_step

Without a name all parts run. `--threads N` is the number for "all threads", the cores of this machine unless set.
"""

import argparse
import time

import torch
import torch.nn.functional as F

BATCHES = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 4096]


def median(run, turn=2e-3):
    """Seconds of one call: the median over 15 turns of about `turn` seconds."""
    run()
    start = time.perf_counter()
    run()
    calls = max(1, int(turn / (time.perf_counter() - start)))
    turns = []
    for _ in range(15):
        start = time.perf_counter()
        for _ in range(calls):
            run()
        turns.append((time.perf_counter() - start) / calls)
    return sorted(turns)[7]


def measure(name, elements, run):
    print(f"{name:28} {median(run) / elements * 1e9:7.3f} ns/element")


def functions(size=65536):
    x = torch.linspace(-8, 8, size)
    y, positive = torch.empty_like(x), x.abs() + 1e-3
    for f in [torch.exp, torch.expm1, torch.erf, torch.erfc, torch.sigmoid, torch.tanh]:
        measure(f.__name__, size, lambda: f(x, out=y))
    for f in [torch.log, torch.log1p]:
        measure(f.__name__, size, lambda: f(positive, out=y))
    for f in [F.relu, F.elu, F.gelu, F.silu, F.softplus]:
        measure(f.__name__, size, lambda: f(x))
    measure("gelu, tanh form", size, lambda: F.gelu(x, approximate="tanh"))
    measure("dropout", size, lambda: F.dropout(x, 0.2))


def rows():
    for shape in [(64, 10), (1024, 10), (1024, 128), (256, 1000)]:
        z = torch.randn(shape)
        name = "x".join(map(str, shape))
        measure(f"softmax {name}", z.numel(), lambda: F.softmax(z, 1))
        labels, leaf = torch.randint(shape[1], (shape[0],)), z.clone().requires_grad_()

        def loss():
            leaf.grad = None
            F.cross_entropy(leaf, labels).backward()

        measure(f"cross-entropy {name}", z.numel(), loss)
    for shape in [(64, 256), (256, 512), (1024, 784)]:
        x, ones, zeros = torch.randn(shape), torch.ones(shape[1]), torch.zeros(shape[1])
        name = "x".join(map(str, shape))
        measure(f"batch norm {name}", x.numel(), lambda: F.batch_norm(x, None, None, ones, zeros, training=True))
        measure(f"layer norm {name}", x.numel(), lambda: F.layer_norm(x, (shape[1],), ones, zeros))


def optimizers():
    for size in [235_146, 10_000_000]:
        w = torch.randn(size, requires_grad=True)
        w.grad = torch.randn(size)
        optim = torch.optim
        steps = {
            "sgd": optim.SGD([w], lr=1e-3, fused=True),
            "momentum": optim.SGD([w], lr=1e-3, momentum=0.9, fused=True),
            "adam": optim.Adam([w], lr=1e-3, fused=True),
        }
        for name, optimizer in steps.items():
            measure(f"{name} {size}", size, optimizer.step)


def training(batch):
    """A step as a user writes it, with the fused form of Adam, which is the fastest."""
    layers = [torch.nn.Linear(784, 256), torch.nn.ReLU(), torch.nn.Linear(256, 128), torch.nn.ReLU()]
    net = torch.nn.Sequential(*layers, torch.nn.Linear(128, 10))
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-4, fused=True)
    x, labels = 2 * torch.rand(batch, 784) - 1, torch.arange(batch) % 10

    def step():
        optimizer.zero_grad()
        F.cross_entropy(net(x), labels).backward()
        optimizer.step()

    return step


def train_step():
    for batch in BATCHES:
        print(f"batch {batch:5}", end="")
        for name, threads in [("one thread", 1), (f"{all_threads} threads", all_threads)]:
            torch.set_num_threads(threads)
            print(f"   {name} {batch / median(training(batch), 2e-2):9.0f} samples/s", end="")
        print()
    torch.set_num_threads(1)


PARTS = {part.__name__: part for part in [functions, rows, optimizers, train_step]}
parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("parts", nargs="*", metavar="part", help=", ".join(PARTS))
parser.add_argument("--threads", type=int, default=torch.get_num_threads())
arguments = parser.parse_args()
if unknown := set(arguments.parts) - set(PARTS):
    parser.error(f"no part is called {', '.join(sorted(unknown))}: {', '.join(PARTS)}")
all_threads = arguments.threads
torch.set_num_threads(1)
print(f"PyTorch {torch.__version__}, {torch.backends.cpu.get_cpu_capability()}")
for part in arguments.parts or PARTS:
    PARTS[part]()
