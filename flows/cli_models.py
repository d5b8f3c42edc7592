"""`aisleflow reid ...` and `aisleflow detector ...`: training, evaluation, export of the two networks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

reid = typer.Typer(no_args_is_help=True, help="The re-identification network: train, evaluate, export, explain.")
detector = typer.Typer(no_args_is_help=True, help="The person detector: train, evaluate.")

JsonOption = Annotated[bool, typer.Option("--json", help="one JSON object")]


@reid.command("train")
def reid_train(recipe: Annotated[str, typer.Argument(help="YAML file, or the name of one in reid/recipes")]) -> None:
    """Train by a recipe; a run that was cut off goes on where it stopped."""
    from reid.train import train

    typer.echo(f"weights: {train(recipe)}")


@reid.command("evaluate")
def reid_evaluate(
    models: Annotated[list[str], typer.Argument(help="shipped names, folders of weights, .xml or .onnx files")],
    sets: Annotated[list[str], typer.Option("--set", help="KIND:ROOT[:VARIANT], for example market1501:/data/market")],
    flip: Annotated[bool, typer.Option(help="add the features of the mirrored picture")] = False,
    rerank: Annotated[bool, typer.Option(help="also after k-reciprocal re-ranking")] = False,
    output: Annotated[Path | None, typer.Option(help="write the result there as JSON")] = None,
    ranked_lists: Annotated[Path | None, typer.Option(help="folder for pictures of ranked lists")] = None,
) -> None:
    """Rank-1/5/10, mAP, mINP and TPR of models on sets, the protocol named."""
    from reid.evaluate import evaluate

    result = evaluate(models, sets, flip=flip, reranked=rerank, output=output, ranked_lists=ranked_lists)
    typer.echo(json.dumps(result, indent=1))


@reid.command("export")
def reid_export(
    model: Annotated[str, typer.Argument(help="shipped name, or a folder of weights")],
    target: Annotated[Path, typer.Argument(help="NAME.onnx or NAME.xml (OpenVINO)")],
    crops: Annotated[Path, typer.Option(help="folder of crops: the export is checked on them, INT8 calibrated")],
    int8: Annotated[bool, typer.Option("--int8", help="quantise to INT8")] = False,
) -> None:
    """ONNX or OpenVINO, refused where it differs from torch on the crops."""
    from reid import export

    functions: dict[tuple[str, bool], Any] = {
        (".onnx", False): export.export_onnx,
        (".onnx", True): export.export_onnx_int8,
        (".xml", False): export.export_openvino,
        (".xml", True): export.export_int8,
    }
    if (target.suffix, int8) not in functions:
        raise ValueError(f"{target}: name the file NAME.onnx, or NAME.xml for OpenVINO")
    typer.echo(str(functions[target.suffix, int8](model, target, read_crops(crops))))


@reid.command("explain")
def reid_explain(
    model: Annotated[str, typer.Argument(help="shipped name, or a folder of weights")],
    crops: Annotated[Path, typer.Argument(help="folder of crops")],
    target: Annotated[Path, typer.Argument(help="picture to write, .png or .jpg")],
    count: Annotated[int, typer.Option(help="crops shown", min=1)] = 8,
) -> None:
    """Where the spatial attention looks, as a picture: a row a crop, a column a stage."""
    from reid.explain import save_attention_sheet

    save_attention_sheet(model, read_crops(crops)[:count], target)
    typer.echo(f"written: {target}")


@reid.command("cut")
def reid_cut(
    pictures: Annotated[
        list[Path], typer.Argument(help="folders of pictures labelled in YOLO format (images/, labels/)")
    ],
    target: Annotated[Path, typer.Option(help="folder for the crops, a folder in it for each of `pictures`")],
    least_height: Annotated[float, typer.Option(help="of a person, in pixels", min=16)] = 64.0,
) -> None:
    """Cut the people out of labelled pictures: crops without identities, as training takes them under `unlabelled`."""
    from detection.labelled_pictures import write_people

    for number, folder in enumerate(pictures):
        place = folder.resolve()
        out = target / f"{number:02d}_{place.parent.name if place.name == 'images' else place.name}"
        typer.echo(f"{folder}: {write_people(folder, out, least_height)} crops in {out}")


@reid.command("render")
def reid_render(
    target: Annotated[Path, typer.Argument(help="folder for images/ and index.csv")],
    people: Annotated[int, typer.Option(help="identities", min=2)] = 1000,
    each: Annotated[int, typer.Option(help="crops of each", min=2)] = 8,
    seed: Annotated[int, typer.Option(help="another seed, other people", min=0)] = 0,
    processes: Annotated[int, typer.Option(help="of which each takes a core", min=1)] = 1,
    without: Annotated[
        list[str], typer.Option(help="leave one kind of variety out: places, clothes, light, poses or recording")
    ] = [],  # noqa: B006 - typer copies it
    sheet: Annotated[Path | None, typer.Option(help="picture of the first people, .png or .jpg")] = None,
) -> None:
    """Render crops of people who do not exist, with identities, to train on: no photograph is needed."""
    from rich.progress import Progress

    from reid.datasets import write_picture
    from reid.rendering.crops import Variety, contact_sheet, write_crops

    variety = Variety.without(without)
    with Progress() as bars:
        bar = bars.add_task("people", total=people)
        written = write_crops(
            target,
            people,
            each,
            seed=seed,
            variety=variety,
            processes=processes,
            progress=lambda done: bars.update(bar, completed=done),
        )
    typer.echo(f"{target}: {written} crops of {people} people")
    if sheet is not None:
        write_picture(sheet, contact_sheet(target))
        typer.echo(f"written: {sheet}")


@detector.command("train")
def detector_train(
    recipe: Annotated[Path, typer.Argument(help="YAML file, see detection/recipes")],
    resume: Annotated[bool, typer.Option(help="go on after the last finished epoch")] = True,
) -> None:
    """Fine-tune a nano network for people."""
    from detection.train import train_detector

    typer.echo(f"weights: {train_detector(recipe, resume=resume)}")


@detector.command("evaluate")
def detector_evaluate(
    model: Annotated[str, typer.Argument(help="shipped name, ultralytics name, or path")],
    scenes: Annotated[list[Path], typer.Option("--scene", help="rendered store with truth")],
    rivals: Annotated[list[str], typer.Option("--rival", help="another detector on the same pictures")] = [],  # noqa: B006 - typer copies it
    sheet: Annotated[Path | None, typer.Option(help="PNG of misses and false alarms")] = None,
    json_output: JsonOption = False,
) -> None:
    """Recall, precision and time a frame, beside rivals on the same pictures."""
    from detection.evaluate import evaluate

    report = evaluate(model, scenes=scenes, rivals=rivals, sheet=sheet)
    typer.echo(json.dumps(report) if json_output else json.dumps(report, indent=1))


def read_crops(folder: Path) -> list[Any]:
    """All pictures of a folder, uint8 RGB, in order of name. Raises ValueError where it has none."""
    import cv2

    files = sorted(file for file in folder.glob("**/*") if file.suffix.lower() in {".png", ".jpg", ".jpeg", ".webp"})
    pictures = [cv2.imread(str(file)) for file in files]
    crops = [cv2.cvtColor(picture, cv2.COLOR_BGR2RGB) for picture in pictures if picture is not None]
    if not crops:
        raise ValueError(f"{folder} holds no pictures; give a folder of .png, .jpg or .webp crops of people")
    return crops
