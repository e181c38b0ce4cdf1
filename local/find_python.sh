# Print the Python this project is set up with: the one named by $1, else the first that is new enough.
# Plain sh, because nothing else may be there yet.

check='import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))'

if [ -n "$1" ]; then
    set -- "$1"
else
    set -- python3 python3.13 python3.12 python3.11
fi

for candidate in "$@"; do
    if "$candidate" -c "$check" 2>/dev/null; then
        command -v "$candidate"
        exit 0
    fi
done

found=$("$1" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null) || found="not there"
echo "Python 3.11, 3.12 or 3.13 is needed ($1 is $found). Install one, or name it: make PYTHON=/path/to/python3.12" >&2
exit 1
