#!/usr/bin/env bash
# Does stock YOLOv5 train with our hyp YAML, and do our promoted weights (.pt and .onnx) reach our figures there?
#
#   tests/end_to_end/stock_yolov5.sh RUN WORK
#
# RUN   a finished, promoted sweep (the demo's: <its folder>/sweep); it is only read
# WORK  a folder to work in; what an earlier call installed there is used again
#
# Run by hand: the environment holds 6 GB, and the suite needs none of it. Exit code 0: everything agrees.
# See docs/stock-yolov5.md. MAX_DIFFERENCE: how far an mAP may be off ours (0.003; why not 0 stands there).
set -euo pipefail

run=$(realpath "${1:?usage: stock_yolov5.sh RUN WORK}")
mkdir -p "${2:?usage: stock_yolov5.sh RUN WORK}"
work=$(realpath "$2")
python=${PYTHON:-python3.11}
packages=(yolov5==7.0.14 torch==2.5.1 torchvision==0.20.1 numpy==1.26.4 Pillow==9.5.0 opencv-python==4.11.0.86
    opencv-python-headless==4.11.0.86 'setuptools<81' onnx==1.17.0 onnxruntime==1.20.1)

for file in best_hyp.yaml best_train.yaml promoted/weights.pt promoted/weights.onnx promoted/metrics.json; do
    [[ -f $run/$file ]] || { echo "$run holds no $file: give a sweep that was promoted (with --onnx)." >&2; exit 2; }
done
export YOLOV5_CONFIG_DIR=$work/config YOLO_CONFIG_DIR=$work/config MPLBACKEND=agg CUDA_VISIBLE_DEVICES=
# Stock YOLOv5 must load the weights by its own rules; this would soften or harden them.
unset TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD TORCH_FORCE_WEIGHTS_ONLY_LOAD

step() { printf '\n== %s\n' "$*"; }

step "environment in $work/venv"
if [[ ! -f $work/venv/.complete-2 ]]; then
    "$python" -m venv "$work/venv"
    "$work/venv/bin/pip" install --quiet "${packages[@]}"
    touch "$work/venv/.complete-2"
fi
stock=$work/venv/bin
"$stock/pip" list 2>/dev/null | grep -iE '^(yolov5|torch|torchvision|numpy|pillow|opencv-python|setuptools|onnx|onnxruntime) '

# YOLOv5 downloads Arial.ttf when it checks a data set; any TrueType font of that name will do.
mkdir -p "$work/config"
"$stock/python" - "$work/config/Arial.ttf" <<'PYTHON'
import shutil, sys
from matplotlib import get_data_path
shutil.copy(f"{get_data_path()}/fonts/ttf/DejaVuSans.ttf", sys.argv[1])
PYTHON

step "a copy of the data set (stock YOLOv5 writes labels/*.cache into it)"
read -r image_size model < <("$stock/python" - "$run" "$work" <<'PYTHON'
import pathlib, shutil, sys
import yaml
run, work = map(pathlib.Path, sys.argv[1:])
train = yaml.safe_load((run / "best_train.yaml").read_text())
data = yaml.safe_load(pathlib.Path(train["data"]).read_text())
root = pathlib.Path(train["data"]).parent / (data.get("path") or "")
shutil.rmtree(work / "data", ignore_errors=True)
shutil.copytree(root, work / "data", ignore=shutil.ignore_patterns("*.cache"))
(work / "data.yaml").write_text(yaml.safe_dump({**data, "path": str(work / "data")}, sort_keys=False))
print(train["image_size"], train["model"])
PYTHON
)
rm -rf "$work/runs"
cd "$work"

step "yolov5 train --hyp"
"$stock/yolov5" train --hyp "$run/best_hyp.yaml" --data data.yaml --cfg "$model.yaml" --weights '' --img "$image_size" \
    --batch 16 --epochs 2 --device cpu --workers 0 --project runs --name train
"$stock/python" - "$run/best_hyp.yaml" runs/train/hyp.yaml <<'PYTHON'
import sys, yaml
ours, theirs = (yaml.safe_load(open(path)) for path in sys.argv[1:])
theirs.pop("anchors", None)
ours.pop("anchors", None)
differing = {k: (ours.get(k), theirs.get(k)) for k in ours.keys() | theirs.keys() if ours.get(k) != theirs.get(k)}
sys.exit(f"stock YOLOv5 trained with another hyp: {differing}" if differing else 0)
PYTHON

step "yolov5 detect, with weights.pt, weights.onnx in onnxruntime and in OpenCV"
# A path without its folder is taken for a model of Hugging Face; OpenCV's file has no names, so --data gives them.
for call in weights.pt weights.onnx "weights.onnx --dnn --data $work/data.yaml"; do
    name=detect_${call//[ \/]/_}
    # shellcheck disable=SC2086  # the options in $call are meant to be split
    "$stock/yolov5" detect --weights "$run/promoted/"$call --source data/images/valid --imgsz "$image_size" \
        --device cpu --save_txt --conf_thres 0.01 --project runs --name "$name" > "$name.log" 2>&1 ||
        { tail -20 "$name.log" >&2; exit 1; }
    tail -2 "$name.log"
    [[ -n $(ls "runs/$name/labels" 2>/dev/null) ]] || { echo "yolov5 detect found nothing at all ($call)" >&2; exit 1; }
done

step "yolov5 val on valid: it must run; the weights were trained on these pictures, so nothing is compared"
"$stock/yolov5" val --weights "$run/promoted/weights.pt" --data data.yaml --imgsz "$image_size" --task val \
    --device cpu --workers 0 --project runs --name valid

step "yolov5 val on test: the figures of promoted/metrics.json"
"$stock/python" - "$run" "$image_size" "${MAX_DIFFERENCE:-0.003}" <<'PYTHON'
import json, pathlib, sys
from yolov5.val import run as val
run, image_size, allowed = pathlib.Path(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])
ours = json.loads((run / "promoted/metrics.json").read_text())["test"]
if not ours:
    sys.exit("the data set has no test split: nothing to compare")
# Pictures of one batch are padded to a common shape, and who shares a batch depends on numpy's version: one at a time.
(precision, recall, map50, map50_95, *_), *_ = val(
    data="data.yaml", weights=str(run / "promoted/weights.pt"), imgsz=image_size, task="test", batch_size=1,
    device="cpu", workers=0, project="runs", name="test", plots=False)
theirs = {"precision": precision, "recall": recall, "map50": map50, "map50_95": map50_95}
for name, value in theirs.items():
    print(f"{name:10} ours {ours[name]:.5f}  stock {value:.5f}  difference {abs(value - ours[name]):.5f}")
sys.exit(any(abs(theirs[n] - ours[n]) > allowed for n in ("map50", "map50_95")))
PYTHON

step "yolov5 val on test with weights.onnx: YOLOv5 pads pictures to squares for it, so the figures are near, not equal"
"$stock/python" - "$run" "$image_size" "${MAX_DIFFERENCE_ONNX:-0.05}" <<'PYTHON'
import json, pathlib, sys
from yolov5.val import run as val
run, image_size, allowed = pathlib.Path(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])
ours = json.loads((run / "promoted/metrics.json").read_text())["test"]
(_, _, map50, map50_95, *_), *_ = val(
    data="data.yaml", weights=str(run / "promoted/weights.onnx"), imgsz=image_size, task="test", batch_size=1,
    device="cpu", workers=0, project="runs", name="test_onnx", plots=False)
for name, value in {"map50": map50, "map50_95": map50_95}.items():
    print(f"{name:10} ours {ours[name]:.5f}  stock, ONNX {value:.5f}  difference {abs(value - ours[name]):.5f}")
sys.exit(bool(abs(map50 - ours["map50"]) > allowed))  # of a numpy.bool sys.exit would make an error
PYTHON
step "stock YOLOv5 agrees"
