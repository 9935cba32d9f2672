# Runs a server and stops it when standard input ends, which it does when the
# process at the other end of the pipe is gone, however it went. Standard output
# closes when the server has ended.
# A line "keep" leaves the server running; it then ends by a signal of its own.
# Usage: watchdog.sh FOLDER COMMAND...   (FOLDER is removed at the end)
dir=$1
shift
exec 3<&0
"$@" </dev/null >"$dir/server.log" 2>&1 3<&- &
server=$!
# QUIT is PostgreSQL's immediate shutdown: nothing here is worth a checkpoint. It
# is repeated, because a server in its first moments does not hear it.
(
	read -r order <&3
	[ "$order" = keep ] && exit
	while kill -QUIT "$server" 2>/dev/null; do sleep 1; done
) >/dev/null 2>&1 &
stopper=$!
wait "$server"
exec >/dev/null
# A server that ended by itself leaves its folder until the starter has read it.
read -r _ <&3
kill "$stopper" 2>/dev/null
wait "$stopper" 2>/dev/null
cd / && rm -rf "$dir"
