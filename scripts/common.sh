# Sourced by the scripts beside it, which set `scripts` to this folder first. Runs on bash 3.2 too.
# shellcheck shell=bash

# fail CODE MESSAGE...: 2 is a mistake in what was asked for, 1 anything else.
fail() {
  local code=$1
  shift
  printf '%s: %s\n' "${0##*/}" "$*" >&2
  exit "$code"
}

note() { printf '%s: %s\n' "${0##*/}" "$*" >&2; }

absolute() {
  case $1 in
    /*) printf '%s\n' "$1" ;;
    *) printf '%s\n' "$PWD/$1" ;;
  esac
}

# digest FILE: its SHA-256.
digest() { if command -v sha256sum >/dev/null; then sha256sum; else shasum -a 256; fi <"$1" | cut -d ' ' -f 1; }

# npm_unpack PACKAGE FOLDER: what npm has under that name, into FOLDER/package; npm's own settings say from where.
npm_unpack() {
  command -v npm >/dev/null 2>&1 || fail 1 "npm not found"
  (cd "$2" && npm pack --silent "$1" >/dev/null && tar -xzf ./*.tgz) || fail 1 "npm pack $1 failed"
}

# The folder that holds the assembled Spark versions and the cluster's files.
cache_folder() {
  if [ -n "${LETHE_CACHE:-}" ]; then
    absolute "$LETHE_CACHE"
  elif [ -n "${XDG_CACHE_HOME:-}" ]; then
    absolute "$XDG_CACHE_HOME/lethe"
  elif [ -n "${HOME:-}" ]; then
    absolute "$HOME/.cache/lethe"
  else
    fail 2 "no cache folder: set LETHE_CACHE (or HOME)"
  fi
}

# What is to be removed when the script ends, in whatever way.
scratch=()
clean_up() { rm -rf -- ${scratch[@]+"${scratch[@]}"}; }
trap clean_up EXIT

# lock PATH: waits until no other script holds PATH, then holds it until this script ends.
# Whatever is started to outlive the script must close descriptor 9.
lock() {
  local told=
  if command -v flock >/dev/null 2>&1; then
    exec 9>"$1" || fail 1 "cannot write $1"
    flock 9
    return
  fi
  until mkdir "$1.d" 2>/dev/null; do
    [ -d "$1.d" ] || fail 1 "cannot write $1.d"
    [ -n "$told" ] || note "waiting for another run (if there is none, remove $1.d)"
    told=yes
    sleep 1
  done
  scratch+=("$1.d")
}

# Sets `java` to the Java to use; it must be 17 or later.
find_java() {
  local version
  if [ -n "${JAVA_HOME:-}" ]; then
    java=$JAVA_HOME/bin/java
    [ -x "$java" ] || fail 1 "JAVA_HOME is $JAVA_HOME, which has no bin/java; set it to a JDK 17 or later"
  else
    java=$(command -v java) || fail 1 "java not found: install a JDK 17 or later, or set JAVA_HOME"
  fi
  version=$("$java" -version 2>&1 | sed -n 's/.* version "\(1\.\)\{0,1\}\([0-9]*\).*/\2/p' | head -n 1)
  [ "${version:-0}" -ge 17 ] || fail 1 "$java is Java ${version:-of an unknown version}; 17 or later is needed"
}

# jar_of NAME MODULE...: sets `jar` to what the build made of the last MODULE; it must be newer than their sources.
jar_of() {
  local name=$1 newer module
  shift
  jar=$root/${!#}/target/lethe-$name-$(sed -n 's|^  <version>\(.*\)</version>.*|\1|p' "$root/pom.xml" | head -n 1).jar
  [ -f "$jar" ] || fail 1 "$jar does not exist; build it with: mvn -B -DskipTests package"
  for module; do
    newer=$(find "$root/$module/src/main" -type f -newer "$jar" | head -n 1)
    [ -z "$newer" ] || fail 1 "$newer is newer than $jar; build it with: mvn -B -DskipTests package"
  done
}

# spark_command CLASS ARGS...: sets `command` to what starts a class of the Spark in SPARK_HOME, as Spark's own
# bin/spark-class does: its launcher knows the class path, the module options of that version and the memory settings.
spark_command() {
  local launcher word started='' delimiter=$'\n'
  launcher=$(printf '%s\n' "$SPARK_HOME"/jars/spark-launcher_*.jar | head -n 1)
  [ -f "$launcher" ] || fail 1 "no Spark in $SPARK_HOME: jars/spark-launcher_*.jar is missing"
  find_java
  command=()
  # The launcher writes the words of the command between NULs, after an empty line that a NUL opens.
  while IFS= read -r -d "$delimiter" word; do
    if [ -n "$started" ]; then
      command+=("$word")
    elif [ -z "$word" ]; then
      started=yes
      delimiter=''
    else
      printf '%s\n' "$word" >&2
    fi
  done < <("$java" -Xmx128m -XX:TieredStopAtLevel=1 -XX:+UseSerialGC -cp "$launcher" org.apache.spark.launcher.Main "$@")
  [ ${#command[@]} -gt 0 ] || fail 1 "Spark's launcher gave no command for $1"
}

# assemble FOLDER NAME POM REQUIRED OPTIONS...: makes FOLDER/jars, once, of what Maven resolves for POM with these OPTIONS.
# NAME is what is assembled, in messages and in FOLDER's marker; REQUIRED the jars, in words, that must be among them.
assemble() {
  local folder=$1 name=$2 pom=$3 required=$4 cache=${1%/*} whole jar
  shift 4
  if complete "$folder" "$name"; then return; fi
  command -v mvn >/dev/null 2>&1 || fail 1 "mvn not found: install Maven 3.8 or later, or set SPARK_HOME to an installed Spark"
  mkdir -p "$cache" 2>/dev/null || fail 1 "cannot create the cache folder $cache; set LETHE_CACHE to one that can be written"
  lock "$folder.lock"
  # Another run may have finished it while this one waited.
  if complete "$folder" "$name"; then return; fi
  note "assembling $name in $folder (once)"
  # Left behind by a run that was killed: the lock says that none is at work.
  rm -rf -- "$cache/.${folder##*/}".*
  whole=$(mktemp -d "$cache/.${folder##*/}.XXXXXX")
  scratch+=("$whole")
  mvn -B -q -f "$pom" dependency:copy-dependencies -DincludeScope=runtime -DoutputDirectory="$whole/jars" "$@" </dev/null >&2 ||
    fail 1 "Maven could not resolve the jars of $name (its messages are above)"
  for jar in $required; do
    [ -f "$whole/jars/$jar.jar" ] || fail 1 "Maven resolved no $jar.jar for $name"
  done
  contents "$whole" "$name" >"$whole/.complete"
  chmod 755 "$whole"
  rm -rf -- "$folder"
  mv -- "$whole" "$folder"
}

# contents FOLDER NAME: what the marker of a complete FOLDER says; a lost jar changes it.
contents() {
  local jars=("$1"/jars/*.jar)
  printf '%s jars %s\n' "$2" "${#jars[@]}"
}

complete() { [ -f "$1/.complete" ] && [ "$(cat "$1/.complete")" = "$(contents "$1" "$2")" ]; }
