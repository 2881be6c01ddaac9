"""A rival as most people would write it: FastAPI, pixel_array, torch eager, PNG overlays in the response.

``python plain_service.py PORT state.npz heads.json``; state.npz holds the backbone's parameters by torchvision's names.
"""

import base64
import io
import json
import sys

import numpy as np
import torch
import uvicorn
from fastapi import FastAPI, UploadFile
from PIL import Image
from pydicom import dcmread
from torch import nn

VIEWS = ("hepatic_veins", "right_portal_vein", "right_posterior_portal_vein", "liver_kidney")
MEAN, STD = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])


class Bottleneck(nn.Module):
    def __init__(self, n_in, width, stride, first):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(n_in, width, 1, bias=False), nn.BatchNorm2d(width)
        self.conv2, self.bn2 = nn.Conv2d(width, width, 3, stride, 1, bias=False), nn.BatchNorm2d(width)
        self.conv3, self.bn3 = nn.Conv2d(width, 4 * width, 1, bias=False), nn.BatchNorm2d(4 * width)
        self.downsample = None
        if first:
            shortcut = nn.Conv2d(n_in, 4 * width, 1, stride, bias=False)
            self.downsample = nn.Sequential(shortcut, nn.BatchNorm2d(4 * width))

    def forward(self, x):
        out = torch.relu(self.bn1(self.conv1(x)))
        out = torch.relu(self.bn2(self.conv2(out)))
        return torch.relu(self.bn3(self.conv3(out)) + (x if self.downsample is None else self.downsample(x)))


class ResNet50(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3, 64, 7, 2, 3, bias=False), nn.BatchNorm2d(64)
        n_in = 64
        for number, (blocks, width) in enumerate(((3, 64), (4, 128), (6, 256), (3, 512)), start=1):
            stage = []
            for index in range(blocks):
                stage.append(Bottleneck(n_in, width, 2 if index == 0 and number > 1 else 1, index == 0))
                n_in = 4 * width
            setattr(self, f"layer{number}", nn.Sequential(*stage))

    def forward(self, x):
        x = nn.functional.max_pool2d(torch.relu(self.bn1(self.conv1(x))), 3, 2, 1)
        return self.layer4(self.layer3(self.layer2(self.layer1(x))))


def crop(dataset):
    pixels = dataset.pixel_array
    grey = pixels if pixels.ndim == 2 else np.asarray(Image.fromarray(pixels).convert("L"))
    region = dataset.SequenceOfUltrasoundRegions[0]
    rows = slice(region.RegionLocationMinY0, region.RegionLocationMaxY1 + 1)
    return grey[rows, region.RegionLocationMinX0 : region.RegionLocationMaxX1 + 1]


def to_tensor(tissue):
    small = np.asarray(Image.fromarray(tissue).resize((224, 224), Image.Resampling.BICUBIC)) / 255
    return ((small[..., None] - MEAN) / STD).transpose(2, 0, 1).astype(np.float32)


def overlay(tissue, cam):
    size = (tissue.shape[1], tissue.shape[0])
    strength = np.asarray(Image.fromarray((cam / np.abs(cam).max()).astype(np.float32)).resize(size))
    alpha = 0.65 * np.abs(strength)[..., None]
    colour = np.where(strength[..., None] >= 0, [214.0, 39.0, 40.0], [31.0, 98.0, 204.0])
    blended = ((1 - alpha) * tissue[..., None] + alpha * colour).astype(np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(blended).save(buffer, "PNG")
    return base64.b64encode(buffer.getvalue()).decode()


def build(state_file, heads_file):
    network = ResNet50().eval()
    with np.load(state_file) as state:
        network.load_state_dict({name: torch.from_numpy(state[name]) for name in state.files}, strict=False)
    with open(heads_file) as file:
        heads = json.load(file)
    app = FastAPI()

    @app.post("/analyse")
    def analyse(
        hepatic_veins: UploadFile,
        right_portal_vein: UploadFile,
        right_posterior_portal_vein: UploadFile,
        liver_kidney: UploadFile,
    ):
        files = (hepatic_veins, right_portal_vein, right_posterior_portal_vein, liver_kidney)
        tissues = [crop(dcmread(file.file)) for file in files]
        with torch.no_grad():
            maps = network(torch.from_numpy(np.stack([to_tensor(tissue) for tissue in tissues]))).numpy()
        answer = {}
        for view, tissue, activation in zip(VIEWS, tissues, maps):
            values, overlays = {}, {}
            for target, head in heads[view].items():
                weights = np.zeros(2048)
                weights[head["indices"]] = head["weights"]
                cam = np.tensordot(weights, activation, axes=1)
                values[target] = float(cam.mean() + head["intercept"])
                overlays[target] = cam
            answer[view] = {**values, "overlay": overlay(tissue, overlays["ge5"])}
        return answer

    return app


if __name__ == "__main__":
    port, state_file, heads_file = sys.argv[1:]
    uvicorn.run(build(state_file, heads_file), host="127.0.0.1", port=int(port), log_level="warning")
