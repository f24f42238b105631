#!/usr/bin/env bash
# Profanity in tmux: two accounts log in over STARTTLS and talk.
#
# Finds the server by OC_HOST, OC_STARTTLS, OC_DOMAIN, OC_PASSWORD; exits non-zero with the screens when
# something is not as it should be. The accounts juliet and romeo exist.
set -euo pipefail

home=$(mktemp -d)
socket="$home/tmux"
trap 'tmux -S "$socket" kill-server 2>/dev/null || true; rm -rf "$home"' EXIT

# What the screen of an account shows.
screen() { tmux -S "$socket" capture-pane -p -t "$1"; }

# Types a line into the window of an account.
say() {
    tmux -S "$socket" send-keys -t "$1" -l -- "$2"
    tmux -S "$socket" send-keys -t "$1" Enter
}

# Waits until a screen shows a text.
sees() {
    for _ in $(seq 150); do
        if screen "$1" | grep -qF -- "$2"; then
            echo "profanity: $1 sees: $2"
            return
        fi
        sleep 0.2
    done
    echo "profanity: $1 never saw: $2" >&2
    screen "$1" >&2
    exit 1
}

for name in juliet romeo; do
    config="$home/$name/config/profanity"
    mkdir -p "$config" "$home/$name/data/profanity"
    cat >"$config/profrc" <<END
[connection]
account=$name
[ui]
wrap=true
END
    cat >"$home/$name/data/profanity/accounts" <<END
[$name]
enabled=true
jid=$name@$OC_DOMAIN
server=$OC_HOST
port=$OC_STARTTLS
resource=profanity
password=$OC_PASSWORD
tls.policy=trust
END
    tmux -S "$socket" new-session -d -s "$name" -x 120 -y 40 \
        env XDG_CONFIG_HOME="$home/$name/config" XDG_DATA_HOME="$home/$name/data" \
        LC_ALL=C.UTF-8 profanity -a "$name"
    sees "$name" "logged in successfully"
done

say juliet "/msg romeo@$OC_DOMAIN Art thou not Romeo & a Montague?"
sees romeo "chat message: juliet@$OC_DOMAIN"
say romeo "/win 2"
sees romeo "Art thou not Romeo & a Montague?"
say romeo "/msg juliet@$OC_DOMAIN Neither, fair saint, if either thee dislike."
sees juliet "Neither, fair saint, if either thee dislike."
say juliet "/quit"
say romeo "/quit"
echo "profanity: messages both ways ok"
