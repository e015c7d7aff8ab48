# A StemeDB server in a container: not root, one volume, a health check.
#
#   docker build -t stemedb .
#   docker run --rm -v stemedb:/data stemedb token create --name me --scope read,write
#   docker run -d --name stemedb -p 127.0.0.1:8642:8642 -v stemedb:/data stemedb
#   docker exec stemedb stemedb health
#
# It answers without TLS, as behind a proxy that has it: so the port above is that of this machine alone. With a certificate:
#
#   docker run -d -p 8642:8642 -v stemedb:/data -v /etc/stemedb:/tls:ro \
#       -e STEMEDB_INSECURE_HTTP=false -e STEMEDB_TLS_CERT=/tls/cert.pem -e STEMEDB_TLS_KEY=/tls/key.pem stemedb

FROM rust:1.95-slim-bookworm AS build
# zstd and the allocator are C.
RUN apt-get update && apt-get install --yes --no-install-recommends gcc libc6-dev make && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY . .
ARG STEMEDB_COMMIT
# As it is released: one optimisation over all crates. It takes some minutes.
RUN STEMEDB_COMMIT="${STEMEDB_COMMIT:-}" cargo build --locked --profile dist -p stemedb-cli

FROM debian:bookworm-slim
RUN useradd --uid 10001 --user-group --no-create-home --home-dir /data --shell /usr/sbin/nologin stemedb \
    && install -d -o stemedb -g stemedb -m 700 /data
COPY --from=build /src/target/dist/stemedb /usr/local/bin/stemedb
USER stemedb
WORKDIR /data
# Others than the container reach this address, so that every request needs a token.
ENV STEMEDB_DIR=/data/db STEMEDB_LISTEN=0.0.0.0:8642 STEMEDB_INSECURE_HTTP=true
VOLUME /data
EXPOSE 8642
# SIGTERM: every request that is in flight is answered or refused, and the store is closed.
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s CMD ["stemedb", "health"]
ENTRYPOINT ["stemedb"]
CMD ["serve", "--log-format", "json", "--log", "info"]
