# Oxidis as a container, used as Redis's own image is:
#
#   docker build -t oxidis .
#   docker run -d --name oxidis -p 127.0.0.1:6379:6379 -v oxidis-data:/data oxidis redis-server --appendonly yes
#   docker exec -it oxidis redis-cli

FROM rust:1-slim-bookworm AS build
WORKDIR /source
# The commit, for --version and INFO.
ARG OXIDIS_REVISION
COPY Cargo.toml Cargo.lock ./
COPY .cargo .cargo
# Cargo wants to see every target that Cargo.toml names.
COPY benches benches
COPY src src
# No cache mounts: builders without BuildKit, such as Debian's, know none.
RUN cargo build --release --locked --bin oxidis \
    && install target/release/oxidis /usr/local/bin/ \
    && rm -rf target

FROM debian:bookworm-slim
# The same numbers as in Redis's image, so that its volumes can be taken over.
RUN groupadd --system --gid 999 oxidis \
    && useradd --system --uid 999 --gid oxidis --home-dir /data --no-create-home oxidis \
    && apt-get update \
    && apt-get install --yes --no-install-recommends redis-tools \
    && rm -rf /var/lib/apt/lists/* \
    # Whoever it is started as can write here; the files themselves are private.
    && install --directory --owner=oxidis --group=oxidis --mode=1777 /data
COPY --from=build /usr/local/bin/oxidis /usr/local/bin/
RUN for name in redis-server redis-check-aof redis-check-rdb; do ln -s oxidis "/usr/local/bin/$name"; done \
    && printf '%s\n' > /usr/local/bin/docker-entrypoint.sh \
        '#!/bin/sh' \
        'set -e' \
        '# Options or a configuration file alone are for the server.' \
        'case $1 in -* | *.conf) set -- redis-server "$@" ;; esac' \
        'case $1 in redis-server | oxidis) ;; *) exec "$@" ;; esac' \
        '# Only ports that were published are reached from outside, so protected mode is off. A configuration may say' \
        '# otherwise: the environment would have precedence over a file, so one that may speak of it is left alone.' \
        'setting="^[[:space:]]*(protected-mode|include)[[:space:]]"' \
        'if [ "$2" != - ] && ! grep -Eqis -e "$setting" -- "$2"; then' \
        '    export OXIDIS_PROTECTED_MODE="${OXIDIS_PROTECTED_MODE-no}"' \
        'fi' \
        'if [ "$(umask)" = 0022 ]; then umask 0077; fi' \
        'if [ "$(id -u)" != 0 ]; then exec "$@"; fi' \
        'find /data ! -user oxidis -exec chown oxidis {} + || echo "Some files in /data keep their owner." >&2' \
        'exec setpriv --reuid=oxidis --regid=oxidis --init-groups "$@"' \
    && chmod 755 /usr/local/bin/docker-entrypoint.sh
WORKDIR /data
VOLUME /data
EXPOSE 6379
# A server that asks for a password is alive. With another port than OXIDIS_PORT says: docker run --no-healthcheck.
HEALTHCHECK --interval=30s --timeout=3s --start-period=5s \
    CMD redis-cli -p "${OXIDIS_PORT:-6379}" ping | grep -qE 'PONG|NOAUTH'
ENTRYPOINT ["docker-entrypoint.sh"]
CMD ["redis-server"]
