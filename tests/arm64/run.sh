#!/bin/sh
# The conformance suite and the runtime's tests on Arm, emulated: user-mode processes, no kernel
# support, no container. For a machine that is no Arm; on a Raspberry Pi run `make test`.
#
#   tests/arm64/run.sh [ARGUMENTS OF PYTEST]
#
# ARM=arm64 is 64-bit Arm with the wheels of the package index. ARM=armhf is 32-bit Raspberry Pi OS:
# Debian's numpy, as the index has none. On Debian it needs
#
#   apt install qemu-user-static debootstrap fakeroot
#
# What it downloads (100 to 200 MB) is kept in ARM_CACHE, build/arm if that is not set. PYTHON,
# python3 if not set, has to have pip.
set -eu

here=$(cd "$(dirname "$0")/../.." && pwd)
arm=${ARM:-arm64}
cache=${ARM_CACHE:-$here/build/arm}/$arm
python=${PYTHON:-python3}
suite=bookworm
version=3.11

pure="pytest pytest-timeout iniconfig pluggy packaging pygments hypothesis sortedcontainers"
case $arm in
    arm64) qemu=qemu-aarch64-static machine=aarch64 debian=python3
           wheels="numpy tokenizers safetensors sentencepiece pandas python-dateutil six $pure" ;;
    armhf) qemu=qemu-arm-static machine=armv7l debian=python3,python3-numpy
           wheels="tokenizers safetensors $pure" ;;
    *) echo "run.sh: ARM: expected arm64 or armhf, found $arm" >&2; exit 2 ;;
esac
PATH=$PATH:/usr/sbin  # where debootstrap is
if [ "$(id -u)" = 0 ]; then as=; else as=fakeroot; fi
for tool in $qemu debootstrap $as dpkg "$python"; do
    command -v "$tool" > /dev/null || { echo "run.sh: $tool is not installed" >&2; exit 2; }
done
mkdir -p "$cache"
cache=$(cd "$cache" && pwd)
root=$cache/root

if [ ! -e "$cache/root.done" ]; then
    rm -rf "$root"
    $as debootstrap --arch=$arm --foreign --variant=minbase --include=$debian $suite "$root"
    for package in "$root"/var/cache/apt/archives/*.deb; do dpkg -x "$package" "$root"; done
    # What update-alternatives would link when the packages are configured.
    for library in blas lapack; do
        for file in "$root"/usr/lib/*/$library/lib$library.so.3; do
            if [ -e "$file" ]; then ln -sf $library/lib$library.so.3 "$(dirname "$file")/.."; fi
        done
    done
    touch "$cache/root.done"
fi

# The versions of constraints.txt, as far as they are named there.
if [ "$(cat "$cache/site.done" 2> /dev/null)" != "$wheels" ] \
    || [ "$here/constraints.txt" -nt "$cache/site.done" ]; then
    rm -rf "$cache/wheels" "$cache/site"
    platforms=
    for glibc in 2_36 2_34 2_31 2_28 2_27 2_24 2_17; do
        platforms="$platforms --platform manylinux_${glibc}_$machine"
    done
    "$python" -m pip --disable-pip-version-check download --quiet --no-deps --only-binary=:all: \
        $platforms --platform manylinux2014_$machine --implementation cp \
        --python-version $version --constraint "$here/constraints.txt" --dest "$cache/wheels" \
        $wheels
    mkdir "$cache/site"
    for wheel in "$cache"/wheels/*.whl; do
        "$python" -m zipfile -e "$wheel" "$cache/site"
    done
    # Tests start Python anew through sys.executable: it gets to be the script below.
    echo "import os, sys; sys.executable = os.environ['ARM_PYTHON']" \
        > "$cache/site/sitecustomize.py"
    echo "$wheels" > "$cache/site.done"
fi
cat > "$cache/python" << END
#!/bin/sh
exec $qemu -L "$root" "$root/usr/bin/python$version" "\$@"
END
chmod +x "$cache/python"

export ARM_PYTHON="$cache/python" OPENBLAS_NUM_THREADS=1 PYTHONDONTWRITEBYTECODE=1
cd "$here"
PYTHONPATH="$cache/site" "$ARM_PYTHON" -c "import platform, numpy, tokenizers
print(platform.machine(), 'Python', platform.python_version(), 'numpy', numpy.__version__,
      'tokenizers', tokenizers.__version__)"

# The runner runs here, without the site folder's Arm libraries; only the adapter is emulated.
if [ -e conformance/run.py ]; then
    cat > "$cache/adapter" << END
#!/bin/sh
PYTHONPATH="$cache/site:$here/runtime/src" exec "$ARM_PYTHON" "\$@"
END
    chmod +x "$cache/adapter"
    "$python" conformance/run.py --timeout 120 \
        -- "$cache/adapter" conformance/adapters/python_runtime.py
fi

# Of the test suite, what asks for exact results.
if [ $# = 0 ]; then
    set -- tests/runtime/test_format.py tests/runtime/test_pooling.py tests/runtime/test_vectors.py \
        tests/runtime/test_words.py tests/property/test_pooling_laws.py \
        tests/property/test_word_table.py tests/property/test_wordpiece_property.py \
        tests/property/test_words_property.py tests/end_to_end/test_lambda_handler.py \
        tests/runtime/test_search.py tests/runtime/test_duplicates.py
    if [ $arm = arm64 ]; then
        set -- "$@" tests/property/test_file_format.py tests/runtime/test_model.py
    fi
fi
PYTHONPATH="$cache/site" exec "$ARM_PYTHON" -m pytest -p no:cacheprovider "$@"
