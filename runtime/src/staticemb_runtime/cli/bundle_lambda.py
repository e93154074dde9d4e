"""`staticemb bundle-lambda`: build the zip for AWS Lambda and a SAM template beside it."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from ..errors import InvalidOptionError
from ..loading.installed import locate
from ..records.output_file import output_file, refuse_inputs, reported

if TYPE_CHECKING:
    from ..aws_lambda.bundle import Bundle

TEMPLATE_NAME: Final = "template.yaml"

# 1,769 MB is where Lambda gives a function one whole processor.
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
    """Declare the command.

    Args:
        commands: Where it is declared.
        model: The parser of the flag that names a model.
    """
    parser = commands.add_parser(
        "bundle-lambda",
        parents=[model],
        help="a zip for AWS Lambda",
        description="Build a zip for AWS Lambda: this package, a model, numpy and tokenizers.",
    )
    parser.set_defaults(run=run)
    parser.add_argument("--architecture", default="arm64", metavar="arm64|x86_64", help="[arm64]")
    own = "{}.{}".format(*sys.version_info)
    parser.add_argument("--python", default=own, metavar="X.Y", help=f"Lambda's Python [{own}]")
    parser.add_argument("--constraint", type=Path, metavar="FILE", help="versions pinned for pip")
    parser.add_argument("-o", "--output", type=Path, default=Path("function.zip"), metavar="ZIP",
                        help=f"the zip to write; {TEMPLATE_NAME} goes into the same folder "
                        "[function.zip]")  # fmt: skip


def run(options: argparse.Namespace) -> int:
    """Build, and print what was built."""
    from ..aws_lambda.bundle import MAX_ZIPPED, build  # only this command needs what it imports

    output: Path = options.output
    constraint: Path | None = options.constraint
    if output.suffix.lower() != ".zip":
        raise InvalidOptionError(f"--output: expected a name ending in .zip, found {output}")
    model = locate(options.model)
    refuse_inputs(str(output), [model, *([] if constraint is None else [str(constraint)])])
    bundle = build(
        Path(model),
        output,
        architecture=options.architecture,
        python=options.python,
        constraint=constraint,
    )
    template = output.with_name(TEMPLATE_NAME)
    text = sam_template(output.name, architecture=options.architecture, python=options.python)
    written = _write_new(template, text)
    print_report(bundle)
    if written:
        print(f"{template}: a SAM template; `sam deploy --guided` deploys both")
    else:
        print(f"{template}: was there already and stays as it is")
        if template.is_file():
            _compare(template, (f"python{options.python}", options.architecture))
    if not bundle.compiled:
        print(
            f"staticemb: note: no byte code, as there is no python{options.python} here: "
            "Lambda will compile at every cold start; build with that Python to avoid it",
            file=sys.stderr,
        )
    if bundle.zipped > MAX_ZIPPED:
        print(
            f"staticemb: note: over {MAX_ZIPPED:,} bytes Lambda takes a zip from S3 only, "
            "where sam deploy puts it anyway",
            file=sys.stderr,
        )
    return 0


def _compare(template: Path, named: tuple[str, ...]) -> None:
    """Say what of the zip's Python and architecture somebody's template does not name."""
    theirs = template.read_bytes().decode(errors="replace")
    other = [name for name in named if name not in theirs]
    if other:
        print(
            f"staticemb: note: {template} does not name {' and '.join(other)}, which the zip is "
            "for: change it, or Lambda will start the zip on another",
            file=sys.stderr,
        )


def print_report(bundle: Bundle) -> None:
    """Print the sizes, the largest first."""
    from ..aws_lambda.bundle import MAX_UNZIPPED, MAX_ZIPPED

    for name, size in sorted(bundle.sizes.items(), key=lambda item: -item[1]):
        print(f"{size:>12,}  {name}")
    print(f"{bundle.unzipped:>12,}  bytes unzipped of {MAX_UNZIPPED:,}")
    print(f"{bundle.zipped:>12,}  bytes zipped of {MAX_ZIPPED:,}: {bundle.path}")
    print(f"with {', '.join(bundle.packages)}{', byte-compiled' if bundle.compiled else ''}")


def sam_template(code: str, *, architecture: str, python: str) -> str:
    """The template of a function with a URL that only callers with IAM credentials may use.

    Args:
        code: the zip's name, beside the template.
        architecture: `arm64` or `x86_64`.
        python: the version of Lambda's Python.
    """
    quoted = "'" + code.replace("'", "''") + "'"
    return _TEMPLATE.format(code=quoted, architecture=architecture, python=python)


def _write_new(path: Path, text: str) -> bool:
    """Write a file unless one is there, which its owner may have changed."""
    if path.exists():
        return path.is_file() and path.read_bytes().replace(b"\r\n", b"\n") == text.encode()
    with output_file(path) as file, reported(str(path)):
        file.write(text.encode())
    return True
