"""torchvision's and timm's networks of ImageNet with weights by a formula that `crates/encode/tests/imagenet.rs` has too, so that
no weights are committed but those of one small .pth file. The architectures are the libraries' own; most have fewer channels.

`imagenet.py --full DIR` writes them at their full size as files, with the features, for `TUWEN_FULL_SIZE=DIR`. Answers are computed
in double precision."""
import functools, json, math, pathlib, sys
import numpy, timm, torch, torchvision
from torch import nn
from torchvision.models import efficientnet, inception, resnet, vgg, vision_transformer

OUT = pathlib.Path(__file__).parent / "../../crates/encode/tests/golden"


def values(name, shape):
    """Numbers that look like chance, of a size that keeps a deep network's values within reason."""
    seed = 0xCBF29CE484222325
    for byte in name.encode():
        seed = ((seed ^ byte) * 0x100000001B3) % 2**64
    with numpy.errstate(over="ignore"):
        z = numpy.uint64(seed) + numpy.arange(1, math.prod(shape) + 1, dtype=numpy.uint64) * numpy.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> numpy.uint64(30))) * numpy.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> numpy.uint64(27))) * numpy.uint64(0x94D049BB133111EB)
        z ^= z >> numpy.uint64(31)
    unit = (z >> numpy.uint64(40)).astype(numpy.float32) * numpy.float32(2.0**-23) - numpy.float32(1)
    of = numpy.float32
    if name.endswith("running_var"):
        unit = of(1) + of(0.5) * unit
    elif name.endswith(("bias", "running_mean")):
        unit = of(0.1) * unit
    elif len(shape) == 1:
        unit = of(0.7) + of(0.2) * unit
    elif len(shape) == 3:
        unit = of(0.5) * unit
    else:
        unit = of(math.sqrt(6 / math.prod(shape[1:]))) * unit
    return torch.from_numpy(unit.reshape(shape))


def filled(model):
    state = model.state_dict()
    new = {k: v if k.endswith("num_batches_tracked") else values(k, tuple(v.shape)) for k, v in state.items()}
    model.load_state_dict(new)
    return model.eval(), new


def small_resnet(block, layers, stem):
    class Small(resnet.ResNet):
        def _make_layer(self, block, planes, blocks, stride=1, dilate=False):
            if planes == 64:
                self.inplanes, self.conv1, self.bn1 = stem, nn.Conv2d(3, stem, 7, 2, 3, bias=False), nn.BatchNorm2d(stem)
            return super()._make_layer(block, planes * stem // 64, blocks, stride, dilate)

    model = Small(block, layers)
    model.fc = nn.Linear(8 * stem * block.expansion, 10)
    return model


def small_vgg(norm):
    widths = [c if c == "M" else c // 16 for c in vgg.cfgs["E"]]
    model = vgg.VGG(vgg.make_layers(widths, batch_norm=norm))
    model.classifier = nn.Sequential(nn.Linear(32 * 49, 24), nn.ReLU(True), nn.Dropout(), nn.Linear(24, 20), nn.ReLU(True),
                                     nn.Dropout(), nn.Linear(20, 10))
    return model


def small_inception(stem):
    class Thin(inception.BasicConv2d):
        def __init__(self, wide, out, **kw):
            super().__init__(wide if wide == 3 else wide * stem // 32, out * stem // 32, **kw)

    of = functools.partial
    blocks = [Thin] + [of(getattr(inception, f"Inception{x}"), conv_block=Thin) for x in "ABCDE"] + [inception.InceptionAux]
    model = inception.Inception3(inception_blocks=blocks, transform_input=False, init_weights=False)
    model.AuxLogits = None
    model.fc = nn.Linear(64 * stem, 10)
    return model


def small_efficient():
    setting, last = efficientnet._efficientnet_conf("efficientnet_b0", width_mult=0.25, depth_mult=1.0)
    return efficientnet.EfficientNet(setting, dropout=0.2, last_channel=96, num_classes=10)


def timm_small(name, **kw):
    return timm.create_model(name, num_classes=10, **kw)


def at(model, *names):
    return [model.get_submodule(name) for name in names]


def resnet_stages(m):
    return at(m, "maxpool", "layer1", "layer2", "layer3", "layer4", "avgpool")


def vgg_stages(m):
    pools = [layer for layer in m.features if isinstance(layer, nn.MaxPool2d)]
    return pools + ([m.classifier[1], m.classifier[4]] if hasattr(m, "classifier") else [m.pre_logits.act1, m.pre_logits.act2])


def inception_stages(m):
    mixed = ["Mixed_5b", "Mixed_5c", "Mixed_5d", "Mixed_6a", "Mixed_6b", "Mixed_6c", "Mixed_6d", "Mixed_6e", "Mixed_7a",
             "Mixed_7b", "Mixed_7c"]
    pools = ["maxpool1", "maxpool2"] if hasattr(m, "maxpool1") else ["Pool1", "Pool2"]
    return at(m, *pools, *mixed, "avgpool" if hasattr(m, "avgpool") else "global_pool")


def efficient_stages(m):
    if hasattr(m, "blocks"):
        return at(m, "bn1") + list(m.blocks) + at(m, "bn2", "global_pool")
    return list(m.features) + [m.avgpool]


def vit_stages(m):
    if hasattr(m, "blocks"):
        return at(m, "norm_pre") + list(m.blocks) + at(m, "norm")
    return at(m, "encoder.dropout") + list(m.encoder.layers) + at(m, "encoder.ln")


def cases(full):
    B, N = resnet.BasicBlock, resnet.Bottleneck
    tv = torchvision.models
    lite, few = "tf_efficientnet_lite0", timm.models.efficientnet
    conv, vit = "image.conv1.weight image.bn1.weight image.layer4.0.conv2.weight", "image.cls_token image.blocks.1.mlp.fc1.weight"
    deep = {"resnet18": [2] * 4, "resnet34": [3, 4, 6, 3], "resnet50": [3, 4, 6, 3], "resnet101": [3, 4, 23, 3],
            "resnet152": [3, 8, 36, 3]}
    for name, layers in deep.items():
        block = B if name in ("resnet18", "resnet34") else N
        model = getattr(tv, name)() if full else small_resnet(block, layers, 8)
        yield name, model, 224, resnet_stages, dict(zip(conv.split(), "conv1.weight bn1.weight layer4.0.conv2.weight".split()))
    grad = {"image.features.0.weight": "features.0.weight", "image.fc1.weight": "classifier.0.weight",
            "image.features.2.bias": "features.2.bias"}
    yield "vgg19", tv.vgg19() if full else small_vgg(False), 224, vgg_stages, grad
    grad = {"image.features.1.weight": "features.1.weight", "image.fc2.bias": "classifier.3.bias"}
    yield "vgg19_bn", tv.vgg19_bn() if full else small_vgg(True), 224, vgg_stages, grad
    names = ["Mixed_6b.branch7x7_2.conv.weight", "Mixed_7c.branch3x3dbl_3b.bn.weight"]
    model = tv.inception_v3(transform_input=False, init_weights=False) if full else small_inception(4)
    yield "inception_v3", model, 299, inception_stages, {f"image.{n}": n for n in names}
    grad = {"image.blocks.1.0.conv_dw.weight": "features.2.0.block.1.0.weight",
            "image.blocks.0.0.se.conv_expand.bias": "features.1.0.block.1.fc2.bias",
            "image.blocks.3.1.bn2.weight": "features.4.1.block.1.1.weight"}
    yield "efficientnet_b0-tv", tv.efficientnet_b0() if full else small_efficient(), 224, efficient_stages, grad
    names = ["conv_stem.weight", "blocks.2.0.conv_dw.weight", "blocks.5.1.bn3.bias"]
    same = {f"image.{n}": n for n in names}
    thin = {"channel_multiplier": 0.25, "num_classes": 10}
    model = timm_small(lite) if full else few._gen_efficientnet_lite(lite, bn_eps=1e-3, pad_type="same", **thin)
    yield lite, model, 224, efficient_stages, same
    model = timm_small("efficientnet_b0") if full else few._gen_efficientnet("efficientnet_b0", **thin)
    yield "efficientnet_b0", model, 224, efficient_stages, same
    if full:
        model, size = tv.vit_b_16(), 224
    else:
        size = 64
        model = vision_transformer.VisionTransformer(size, 16, num_layers=3, num_heads=2, hidden_dim=128, mlp_dim=160, num_classes=10)
    names = ["class_token", "encoder.layers.encoder_layer_1.mlp.0.weight"]
    yield "vit_b_16", model, size, vit_stages, dict(zip(vit.split(), names))
    few = {} if full else {"img_size": 64, "depth": 3, "embed_dim": 128, "num_heads": 2}
    yield "vit_tiny_patch16_224", timm_small("vit_tiny_patch16_224", **few), size, vit_stages, dict(
        zip(vit.split(), ["cls_token", "blocks.1.mlp.fc1.weight"]))
    if full:
        yield "vgg19-timm", timm_small("vgg19"), 224, vgg_stages, {}


def pixels(size):
    i = torch.arange(3 * size * size, dtype=torch.float64)
    return (torch.sin(i * 0.37) * 0.8).float().reshape(1, 3, size, size).double()


def row(value):
    """The class token of a ViT's rows, of a grid the mean of its pixels."""
    return value[0, 0] if value.dim() == 3 else value.reshape(value.shape[0], value.shape[1], -1).mean(2)[0]


def some(flat):
    return flat[:: max(1, len(flat) // 48)][:48].tolist()


def answers(model, size, stages, gradients):
    """Each stage's row, the feature among them as the last one, and gradients of a sum over it."""
    model, seen = model.double(), []
    hooks = [stage.register_forward_hook(lambda _, __, out: seen.append(out)) for stage in stages(model)]
    x = pixels(size).requires_grad_()
    model(x)
    for hook in hooks:
        hook.remove()
    feature = row(seen[-1])
    if gradients is None:
        return {"rows": [feature.detach().tolist()], "pixels": [], "gradients": {}}
    (feature * torch.sin(torch.arange(len(feature), dtype=torch.float64) * 0.7)).sum().backward()
    found = dict(model.named_parameters())
    return {"rows": [row(one).detach().tolist() for one in seen], "pixels": some(x.grad.flatten()),
            "gradients": {ours: some(found[name].grad.flatten()) for ours, name in gradients.items()}}


def main(full):
    torch.manual_seed(0)
    all = {}
    for name, model, size, stages, gradients in cases(full is not None):
        model, state = filled(model)
        if full:
            torch.save(state, full / f"{name}.pth")
        shapes = {k: list(v.shape) for k, v in state.items() if not k.endswith("num_batches_tracked")}
        all[name] = {"size": size, **answers(model, size, stages, None if full else gradients)}
        if not full:
            all[name]["shapes"] = shapes
        print(name, sum(math.prod(s) for s in shapes.values()), flush=True)
    rounded = json.loads(json.dumps(all), parse_float=lambda x: float(f"{float(x):.9g}"))
    if full:
        (full / "imagenet.json").write_text(json.dumps(rounded) + "\n")
        return
    (OUT / "imagenet.json").write_text(json.dumps(rounded, separators=(",", ":")) + "\n")
    tiny, state = filled(small_resnet(resnet.BasicBlock, [1, 1, 1, 1], 4))
    # Saved under a name of 21 letters: then the first entry of torch's zip is as long as the records behind its directory, which one
    # reader of zip files took for it.
    torch.save({"state_dict": state, "epoch": 3}, OUT / "a-resnet-of-torchsave.pth")
    (OUT / "a-resnet-of-torchsave.pth").rename(OUT / "resnet-tiny.pth")


full = pathlib.Path(sys.argv[2]) if sys.argv[1:2] == ["--full"] else None
main(full)
