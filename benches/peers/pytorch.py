"""Vector kernels of PyTorch on one thread, nanoseconds an element: beside `cargo bench --bench activation|softmax|norm|optim`.

    python3 -m venv venv && venv/bin/pip install torch==2.15.0
    venv/bin/python benches/peers/pytorch.py
"""

import time

import torch
import torch.nn.functional as F

torch.set_num_threads(1)


def measure(name, elements, run):
    """The median over 15 turns of about 2 ms."""
    run()
    start = time.perf_counter()
    run()
    calls = max(1, int(2e-3 / (time.perf_counter() - start)))
    turns = []
    for _ in range(15):
        start = time.perf_counter()
        for _ in range(calls):
            run()
        turns.append((time.perf_counter() - start) / calls)
    print(f"{name:28} {sorted(turns)[7] / elements * 1e9:7.3f} ns/element")


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


print(f"PyTorch {torch.__version__}, {torch.backends.cpu.get_cpu_capability()}")
functions()
rows()
optimizers()
