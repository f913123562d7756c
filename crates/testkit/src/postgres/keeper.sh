# Stops a private PostgreSQL and removes its directory once the process it was started for is gone.
#
# usage: sh keeper.sh DIR PID START IDLE_MINUTES PSQL [once]
#   DIR           the server's directory: data/ in it, `ready` (the port) and `used` (touched by users)
#   PID START     the process to watch and the time it started, so that a reused PID is not mistaken
#   IDLE_MINUTES  stop also when nobody used the server for so long (0: never)
#   once          look once and leave, to sweep up after a keeper that was killed itself
dir=$1 watched=$2 start=$3 idle=$4 psql=$5 once=$6

case $dir in
*/plimsoll-pg-*/?*) ;;
*) exit 2 ;;
esac
trap '' HUP INT

alive() {
    if [ -r /proc/self/stat ]; then
        line=
        read -r line <"/proc/$watched/stat" || return 1
        # Behind the name in brackets: state first, start time twentieth.
        set -- ${line##*) }
        case $1 in Z | X) return 1 ;; esac
        shift 19
        [ "$1" = "$start" ]
    else
        kill -0 "$watched" && [ "$(ps -o lstart= -p "$watched")" = "$start" ]
    fi
}

in_use() {
    [ "$idle" = 0 ] && return 0
    [ -f "$dir/ready" ] || return 0
    [ -n "$(find "$dir/used" -mmin "+$idle")" ] || return 0
    read -r port <"$dir/ready"
    sessions=$("$psql" -XAtq -h 127.0.0.1 -p "$port" -U postgres -c \
        "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()")
    [ "$sessions" != 0 ]
}

stop() {
    rm -f "$dir/ready"
    if read -r server <"$dir/data/postmaster.pid"; then
        kill -INT "$server"
        tries=0
        while kill -0 "$server" && [ "$tries" -lt 100 ]; do
            [ "$tries" = 50 ] && kill -QUIT "$server"
            tries=$((tries + 1))
            sleep 0.1
        done
    fi
    rm -rf "$dir"
    alive || rm -f "$dir.lock"
}

if [ -n "$once" ]; then
    alive || stop
    exit 0
fi

ticks=0
while [ -d "$dir" ]; do
    alive || break
    ticks=$((ticks + 1))
    if [ $((ticks % 120)) = 0 ]; then
        in_use || break
    fi
    sleep 0.5
done
[ -d "$dir" ] || exit 0
stop
# A server that was just starting writes its files after the first look.
sleep 2
[ ! -d "$dir" ] || stop
