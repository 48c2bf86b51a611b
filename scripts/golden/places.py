"""PyTorch's patches of oblong pictures, its square table of positions resized to their grids, and the gradients of both."""
import json, pathlib
import torch

OUT = pathlib.Path(__file__).parent / "../../crates/nn/tests/golden/places.json"
SIDE, WIDTH, PATCH = 4, 3, 2
GRIDS = [(4, 4), (2, 7), (6, 3), (1, 9), (5, 1), (11, 13)]


def wave(count, step):
    return torch.sin(torch.arange(count, dtype=torch.float64) * step).float()


def main():
    table = wave(SIDE * SIDE * WIDTH, 0.7).reshape(SIDE * SIDE, WIDTH).requires_grad_()
    places, rows = [], []
    for h, w in GRIDS:
        grid = table.reshape(1, SIDE, SIDE, WIDTH).permute(0, 3, 1, 2)
        new = torch.nn.functional.interpolate(grid, (h, w), mode="bilinear", align_corners=False, antialias=True)
        places.append(new.permute(0, 2, 3, 1).reshape(h * w, WIDTH))
        picture = wave(3 * h * w * PATCH * PATCH, 0.37).reshape(1, 3, h * PATCH, w * PATCH)
        rows.append(torch.nn.functional.unfold(picture, PATCH, stride=PATCH)[0].T)
    places = torch.cat(places)
    places.backward(wave(places.numel(), 1.3).reshape(places.shape))
    flat = lambda x: [round(value, 8) for value in x.flatten().tolist()]
    OUT.write_text(json.dumps({"side": SIDE, "width": WIDTH, "patch": PATCH, "grids": GRIDS, "places": flat(places.detach()),
                               "gradient": flat(table.grad), "rows": flat(torch.cat(rows))}) + "\n")


main()
