# SPDX-License-Identifier: BSD-2-Clause
# A POSIX shell at work on a terminal: what it prints is the same on every system. Questions are answered by whoever types.
heading() {
  echo "--- $1"
}
try() {
  "$@"
  echo "status $?"
}

heading "the terminal"
for descriptor in 0 1 2; do
  if [ -t $descriptor ]; then
    echo "descriptor $descriptor is a terminal"
  else
    echo "descriptor $descriptor is none"
  fi
done
if [ -t 0 ] </dev/null; then echo wrong; else echo "the null device is none"; fi
echo "through the terminal by its own name" >/dev/tty
(echo "and from a subshell") >/dev/tty

heading "questions"
echo "what is your name?"
read -r name
echo "hello, $name"
echo "two words and a rest?"
read -r first second rest
echo "[$first] [$second] [$rest]"
echo "an empty line?"
read -r empty
echo "[$empty] is ${#empty} characters long"
echo "tabs	in	output"
echo "a line for cat, through a pipe?"
read -r line
echo "$line" | cat | cat

heading "pipelines"
echo one two three | cat
printf '%s\n' c a b | while read -r each; do echo "item $each"; done
printf '%s\n' 3 1 2 | {
  total=0
  while read -r number; do total=$((total + number)); done
  echo "sum $total"
}
echo "the last status counts" | cat >/dev/null
echo "status $?"
true | false
echo "status $?"
false | true
echo "status $?"
! true
echo "status $?"
count=0
for i in 1 2 3 4 5 6 7 8 9 10; do
  echo "$i" | cat | cat | cat >>numbers
  count=$((count + 1))
done
echo "$count writers, $(cat numbers | while read -r n; do printf '%s,' "$n"; done)"

heading "here-documents"
cat <<END
a here-document with $((6 * 7)) and ${name}
  and "quotes" that stay
END
cat <<'END'
nothing is $expanded $(here) `nor here`
END
cat <<-END
	tabs are taken off
	END
cat <<ONE; cat <<TWO
first document
ONE
second document
TWO
while read -r key value; do
  echo "$key is $value"
done <<END
red ff0000
green 00ff00
blue 0000ff
END
lines=$(cat <<END
inside a substitution
of two lines
END
)
echo "$lines"

heading "redirections"
echo first >file
echo second >>file
cat <file
cat file file >both
while read -r line; do printf '<%s>' "$line"; done <both
echo
{ echo to output; echo to error >&2; } 2>&1 | while read -r line; do echo "got $line"; done
{ echo only; echo errors >&2; } 2>/dev/null
echo replaced >file
cat file
cat missing-file 2>/dev/null
echo "status $?"

heading "subshells and variables"
value=outer
(value=inner; echo "in the subshell: $value")
echo "outside: $value"
{ value=group; }
echo "after a group: $value"
(exit 7)
echo "status $?"
(cd / && pwd)
result=$(echo "sub$(echo "stitution")")
echo "$result"
set -- a "b c" d
echo "$# arguments"
for argument in "$@"; do echo "<$argument>"; done
shift
echo "$1, then $*"
unset missing
echo "${missing:-default} ${missing:=assigned} ${missing:+set}"
path=/usr/local/lib/file.tar.gz
echo "${path##*/} ${path%/*} ${path%%.*} ${path#/usr}"
echo "$((2 + 3 * 4)) $(((1 << 10) - 24)) $((17 % 5)) $((-7 / 2))"

heading "conditions and loops"
for word in apple banana cherry 42 ""; do
  case $word in
  a* | b*) echo "$word begins early" ;;
  [0-9]*) echo "$word is a number" ;;
  "") echo "nothing" ;;
  *) echo "$word is something else" ;;
  esac
done
n=0
while :; do
  n=$((n + 1))
  [ $n -eq 3 ] && continue
  [ $n -gt 5 ] && break
  printf '%s ' $n
done
echo
until [ $n -le 3 ]; do n=$((n - 1)); done
echo "n is $n"
[ -d / ] && [ ! -e /nonexistent ] && [ abc != abd ] && echo "tests agree"
if [ -f file ] && grepped=$(cat file) && [ "$grepped" = replaced ]; then echo "the file is as left"; fi

set -e
false || echo "a failure that was asked for"
set +e
false && echo never

heading "functions"
factorial() {
  if [ "$1" -le 1 ]; then
    echo 1
  else
    echo $(($1 * $(factorial $(($1 - 1)))))
  fi
}
echo "10! is $(factorial 10)"
status_of() { return "$1"; }
status_of 42
echo "returned $?"
reverse() {
  out=
  for argument in "$@"; do out="$argument $out"; done
  echo "$out"
}
reverse one two three
eval 'echo "evaluated $((1 + 1))"'

heading "jobs in the background"
(echo "from the background" >background) &
wait
cat background
for i in 1 2 3; do
  (sleep 0.0$i; echo "job $i" >>jobs) &
done
wait
echo "$(cat jobs | while read -r each; do echo x; done | cat | while read -r x; do printf '%s' "$x"; done) jobs have ended"
sleep 0.01 &
wait $!
echo "status $?"

heading "other shells"
sh -c 'echo "a shell of its own: $0 $1"' name argument
sh -c 'exit 3'
echo "status $?"
sh -c '[ -t 0 ] && echo "it has the terminal, too"'
sh -c 'echo "a question from below?"; read -r answer; echo "the answer was $answer"'
echo 'echo "a script on standard input"; exit 4' | sh
echo "status $?"

heading "traps"
(trap 'echo "leaving a subshell"' EXIT; echo "in it")
try sh -c 'trap "echo goodbye" EXIT; echo working; exit 5'
trap 'echo "the end, status $?"' EXIT
echo "last question, before the end?"
read -r last
echo "so be it: $last"
exit 6
