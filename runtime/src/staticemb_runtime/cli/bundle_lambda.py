"""`staticemb bundle-lambda`: build the zip for AWS Lambda, and a SAM template next to it."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from ..errors import InvalidOptionError
from ..loading.installed import chosen, locate
from ..records.output_file import output_file, refuse_inputs, reported

if TYPE_CHECKING:
    from ..aws_lambda.bundle import Bundle

TEMPLATE_NAME: Final = "template.yaml"

# With 1,769 MB, Lambda gives a function one whole processor.
_TEMPLATE: Final = """\
AWSTemplateFormatVersion: "2010-09-09"
Transform: AWS::Serverless-2016-10-31
Description: Static text embeddings
Resources:
  EmbedFunction:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: {code}
      Handler: staticemb_runtime.aws_lambda.handler
      Runtime: python{python}
      Architectures:
        - {architecture}
      MemorySize: 1769
      Timeout: 30
      FunctionUrlConfig:
        AuthType: AWS_IAM
Outputs:
  FunctionUrl:
    Value: !GetAtt EmbedFunctionUrl.FunctionUrl
"""


def add_parser(commands: argparse._SubParsersAction[Any], model: argparse.ArgumentParser) -> None:
    """Declare the subcommand.

    Args:
        commands: the subcommands to add it to.
        model: the parser of the flag `--model`.
    """
    parser = commands.add_parser(
        "bundle-lambda",
        parents=[model],
        help="build a zip file for AWS Lambda",
        description="Build a zip file for AWS Lambda: this package, a model in one file, numpy and "
        "tokenizers, and a search index if one is given.",
    )
    parser.set_defaults(run=run)
    parser.add_argument(
        "--architecture",
        default="arm64",
        metavar="arm64|x86_64",
        help="the function's processor [arm64]",
    )
    version = "{}.{}".format(*sys.version_info)
    parser.add_argument("--python", default=version, metavar="X.Y",
                        help=f"the function's Python version [{version}]")  # fmt: skip
    parser.add_argument(
        "--index",
        type=Path,
        metavar="INDEX",
        help="a search index, so that the function answers queries; its model is taken unless "
        "--model names one",
    )
    parser.add_argument(
        "--constraint",
        type=Path,
        metavar="FILE",
        help="a constraints file for pip, which pins versions",
    )
    parser.add_argument("-o", "--output", type=Path, default=Path("function.zip"), metavar="ZIP",
                        help=f"the zip file to write; {TEMPLATE_NAME} is written next to it "
                        "[function.zip]")  # fmt: skip


def run(options: argparse.Namespace) -> int:
    """Build the zip and the template, and print a report."""
    from ..aws_lambda.bundle import MAX_ZIPPED, build  # late: slow, and only for this command

    output: Path = options.output
    constraint: Path | None = options.constraint
    index: Path | None = options.index
    if output.suffix.lower() != ".zip":
        raise InvalidOptionError(f"--output: expected a name ending in .zip, found {output}")
    # The index names its own model, unless another one is named here.
    model = chosen() if index is None and options.model is None else options.model
    given = [str(path) for path in (constraint, index) if path is not None]
    refuse_inputs(str(output), [*given, *([] if model is None else [locate(model)])])
    bundle = build(
        model,
        output,
        architecture=options.architecture,
        python=options.python,
        constraint=constraint,
        index=index,
    )
    template = output.with_name(TEMPLATE_NAME)
    text = sam_template(output.name, architecture=options.architecture, python=options.python)
    written = _write_new(template, text)
    print_report(bundle)
    if written:
        print(f"{template}: a SAM template; `sam deploy --guided` deploys both")
    else:
        print(f"{template}: exists already and stays as it is")
        if template.is_file():
            _compare(template, (f"python{options.python}", options.architecture))
    if not bundle.compiled:
        print(
            f"staticemb: note: no byte code, because there is no python{options.python} here: "
            "install it, or Lambda will compile the packages at every cold start",
            file=sys.stderr,
        )
    if bundle.zipped > MAX_ZIPPED:
        print(
            f"staticemb: note: Lambda takes a zip above {MAX_ZIPPED:,} bytes from S3 only; "
            "`sam deploy` uploads it to S3",
            file=sys.stderr,
        )
    return 0


def _compare(template: Path, named: tuple[str, ...]) -> None:
    """Print a note if an existing template does not name the zip's Python and architecture."""
    text = template.read_bytes().decode(errors="replace")
    missing = [name for name in named if name not in text]
    if missing:
        print(
            f"staticemb: note: {template} does not name {' and '.join(missing)}, which the zip "
            "needs; edit the template",
            file=sys.stderr,
        )


def print_report(bundle: Bundle) -> None:
    """Print the sizes, largest first."""
    from ..aws_lambda.bundle import MAX_UNZIPPED, MAX_ZIPPED

    for name, size in sorted(bundle.sizes.items(), key=lambda item: -item[1]):
        print(f"{size:>12,}  {name}")
    print(f"{bundle.unzipped:>12,}  bytes unzipped of {MAX_UNZIPPED:,}")
    print(f"{bundle.zipped:>12,}  bytes zipped of {MAX_ZIPPED:,}: {bundle.path}")
    print(f"with {', '.join(bundle.packages)}{', byte-compiled' if bundle.compiled else ''}")


def sam_template(code: str, *, architecture: str, python: str) -> str:
    """Return the SAM template of a function with a URL for callers with IAM credentials.

    Args:
        code: the zip's name, in the template's folder.
        architecture: `arm64` or `x86_64`.
        python: the version of Lambda's Python.
    """
    quoted = "'" + code.replace("'", "''") + "'"
    return _TEMPLATE.format(code=quoted, architecture=architecture, python=python)


def _write_new(path: Path, text: str) -> bool:
    """Write a file unless it exists: the user may have edited it.

    Returns:
        Whether the file now has this text.
    """
    if path.exists():
        return path.is_file() and path.read_bytes().replace(b"\r\n", b"\n") == text.encode()
    with output_file(path) as file, reported(str(path)):
        file.write(text.encode())
    return True
