//! The examples in the help of each command.

/// Of the program itself, with its exit codes and settings.
pub(super) const PROGRAM: &str = "\
Examples:
  stemedb ingest examples/data/paris_monuments.ndjson
  stemedb subject \"Eiffel Tower\"
  stemedb --url http://127.0.0.1:8642 subject \"Eiffel Tower\"
  stemedb help ingest

Exit codes:
   0  fine, duplicates included
   1  the command ran and found something: rejected lines, problems, a damaged input file
   2  usage, a file to read that is not there included
   3  not found: a record, a subject, or no database there
   4  locked, full or otherwise unavailable; no server there, or one that does not let you
   5  corruption, a newer format, or a failure inside the program
  78  bad configuration

Settings: flag over STEMEDB_DIR, STEMEDB_STORE, STEMEDB_JSON, STEMEDB_QUIET, STEMEDB_CONFIG,
STEMEDB_LISTEN, STEMEDB_TLS_CERT, STEMEDB_TLS_KEY, STEMEDB_INSECURE_HTTP,
STEMEDB_URL, STEMEDB_TOKEN, STEMEDB_TOKEN_FILE, STEMEDB_CA
over stemedb.toml over default; `stemedb config` shows what is in force and from where.
Without a flag: stream_cache_bytes_max and small_cache_bytes_max, the bytes of records and of
epochs that are kept in memory (1048576 to 1099511627776, 67108864 and 33554432 by default),
and known_ids_bytes_max, those of a filter that tells new records from stored ones without a look
at the disk (262144 to 1099511627776, or 0 for none; 67108864 by default); for `serve` connections_max (1024),
connections_per_address_max (512) and requests_per_second_max, of one token or address (0, which is no limit).

With --url a command asks a running server in place of a directory, and says the same. A token is read
from STEMEDB_TOKEN or a file, is never printed, and is sent over https or to this machine alone. --dir
beside an url that is set elsewhere means the directory. Commands about files of this machine (init,
serve, token, verify, rebuild, restore, journal, store) refuse --url.";

pub(super) const INIT: &str = "\
Examples:
  stemedb init
  stemedb init --dir ./claims --store sled";

pub(super) const INGEST: &str = "\
Returns when everything is durable and readable. A bad line never stops the others.
Exits with 1 if a line was rejected.

Examples:
  stemedb ingest claims.ndjson more.ndjson.gz
  stemedb ingest --results results.ndjson --rejects rejected.ndjson claims.ndjson.zst
  produce-claims | stemedb ingest --json -
  stemedb ingest --url http://127.0.0.1:8642 claims.ndjson";

pub(super) const GET: &str = "\
Examples:
  stemedb get 0f1d8c7c6b0f6f5c7ac0b3d5b5a9a4f2cbd1f1d2e3a4b5c6d7e8f90a1b2c3d4e
  stemedb get --json \"$(stemedb export --ids | head -n 1)\"
  stemedb get --url http://127.0.0.1:8642 ID";

pub(super) const SUBJECT: &str = "\
Examples:
  stemedb subject \"Eiffel Tower\"
  stemedb subject \"Eiffel Tower\" --predicate \"height (m)\" --json
  stemedb subject \"Eiffel Tower\" --as-of 500
  stemedb subject \"Eiffel Tower\" --json --limit 100 --cursor CURSOR
  stemedb subject \"Eiffel Tower\" --url https://claims.example --token-file ~/claims.token";

pub(super) const SUBJECTS: &str = "\
Examples:
  stemedb subjects
  stemedb subjects --prefix Eiff --limit 20 --json
  stemedb subjects --url http://127.0.0.1:8642";

pub(super) const VOTES: &str = "\
Examples:
  stemedb votes 0f1d8c7c6b0f6f5c7ac0b3d5b5a9a4f2cbd1f1d2e3a4b5c6d7e8f90a1b2c3d4e
  stemedb votes --json --limit 100 ID
  stemedb votes --url http://127.0.0.1:8642 ID";

pub(super) const EPOCHS: &str = "\
Examples:
  stemedb epochs
  stemedb epochs 0f1d8c7c6b0f6f5c7ac0b3d5b5a9a4f2cbd1f1d2e3a4b5c6d7e8f90a1b2c3d4e
  stemedb epochs --url http://127.0.0.1:8642";

pub(super) const EXPORT: &str = "\
What it writes ingests again to the same ids, in the same order.

Examples:
  stemedb export > claims.ndjson
  stemedb export | stemedb --dir ./copy ingest -
  stemedb export --ids | sort
  stemedb export --url http://127.0.0.1:8642 > claims.ndjson";

pub(super) const STATS: &str = "\
Examples:
  stemedb stats
  stemedb stats --json --dir ./claims
  STEMEDB_URL=http://127.0.0.1:8642 stemedb stats";

pub(super) const SERVE: &str = "\
Creates the database if there is none. Ends in order on SIGINT and SIGTERM: what is in flight is
answered, later requests are refused, the database is closed. A second signal ends it at once.
Every answer names what it waited for, so that nothing that was acknowledged is lost by either.

Listens to this machine alone, where whoever reaches it may do anything until there is a token. Any
other address needs a token, and TLS or --insecure-http. The certificate is read again when it changes.

Levels are off, error, warn, info, debug and trace; at info there is a line for every request, with
its route, status, time, bytes and ids, and nothing of its path, its query or its bodies.

Examples:
  stemedb serve
  stemedb serve --log-format json --log info
  stemedb serve --log warn,stemedb_wal=debug
  stemedb serve --dir ./claims --listen 127.0.0.1:8000
  stemedb serve --listen 0.0.0.0:8642 --tls-cert cert.pem --tls-key key.pem
  curl -H 'content-type: application/json' http://127.0.0.1:8642/v1/assertions \\
    -d '{\"subject\":\"Eiffel Tower\",\"predicate\":\"height\",\"object\":330,\"agent\":\"me\"}'";

pub(super) const HEALTH: &str = "\
Asks the server at --url, or else the one that `serve` starts with the same settings. It needs no
token. Ends with 4 where nobody answers, or where the server can no longer make records durable.

Examples:
  stemedb health
  stemedb health --url https://claims.example.org";

pub(super) const TOKEN: &str = "\
A server knows a new token, and refuses a revoked one, within a second. From the first one on every
request needs one, also after the last one is revoked; only the hash of each is kept.

Examples:
  stemedb token create --name loader --scope write --expires 90
  stemedb token create --name dashboard --scope read
  stemedb token list
  stemedb token revoke 0f1d8c7c6b0f6f5c
  curl -H \"authorization: Bearer $TOKEN\" http://127.0.0.1:8642/v1/stats";

pub(super) const VERIFY: &str = "\
Works on a database that refuses to open; changes nothing. Exits with 1 if it finds a problem.

Examples:
  stemedb verify
  stemedb verify --quick --json";

pub(super) const REBUILD: &str = "\
Works whatever is missing or broken in `db/`; the journal has to be sound.

Examples:
  stemedb rebuild
  stemedb rebuild --dir ./claims";

pub(super) const BACKUP: &str = "\
Everything that is in the backup is verified, only what is new is copied. The answer names the head: keep it elsewhere,
and `restore --head` proves that nothing is missing. Exits with 1 if a part of the backup was damaged and copied again.

Examples:
  stemedb backup /mnt/other/claims
  stemedb backup --json /mnt/other/claims
  stemedb backup --url https://claims.example --token-file ~/admin.token /mnt/other/claims";

pub(super) const RESTORE: &str = "\
Verifies every byte of the backup, copies it to the directory of the database, which must be new or empty, and builds
the store.

Examples:
  stemedb restore /mnt/other/claims --dir ./restored
  stemedb restore /mnt/other/claims --head 1f0c56c1f0c56c1f0c56c1f0c56c1f0c56c1f0c56c1f0c56c1f0c56c1f0c56c1";

pub(super) const QUARANTINE: &str = "\
Examples:
  stemedb quarantine list
  stemedb quarantine show 17
  stemedb quarantine retry 17 18
  stemedb quarantine list --url http://127.0.0.1:8642";

pub(super) const JOURNAL: &str = "\
Examples:
  stemedb journal info
  stemedb journal dump | less
  stemedb journal salvage ./salvaged";

pub(super) const STORE: &str = "\
Examples:
  stemedb store dump | less";

pub(super) const KEYGEN: &str = "\
The file holds the secret as 64 hex digits; an existing file is never overwritten.

Examples:
  stemedb keygen my.key";

pub(super) const SIGN: &str = "\
A record without an agent gets that of the key. A record of another agent is refused.

Examples:
  stemedb sign --key my.key claims.ndjson > signed.ndjson
  produce-claims | stemedb sign --key my.key | stemedb ingest -";

pub(super) const CONFIG: &str = "\
Examples:
  stemedb config
  STEMEDB_DIR=./claims stemedb config --json";

pub(super) const COMPLETIONS: &str = "\
Examples:
  stemedb completions bash > ~/.local/share/bash-completion/completions/stemedb
  stemedb completions fish | source";
