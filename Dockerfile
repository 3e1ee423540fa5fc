# exemplar-bridge in an image: some 100 MB, no root, nothing written outside of one volume.
#
#     docker build --tag exemplar-bridge .
#     docker run --read-only --volume "$PWD/config.json:/etc/exemplar-bridge/config.json:ro" \
#         --volume exemplar-bridge:/var/lib/exemplar-bridge/data --publish 8000:8000 exemplar-bridge
#
# `docker run … exemplar-bridge check` says what is wrong with that configuration. `make image-test` builds it and tries it.

FROM docker.io/library/rust:1.95-bookworm AS build
WORKDIR /src
COPY . .
# OpenSSL is linked in (`vendored`), so that the image below needs no package. Of what helps to debug, the names of functions
# stay, for backtraces (26 MB; 22 without, and 135 with line numbers, of which a panic tells its own anyway).
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target \
    cargo build --release --locked --features vendored \
    && strip --strip-debug -o /usr/local/bin/exemplar-bridge target/release/exemplar-bridge

FROM docker.io/library/debian:bookworm-slim

# Commands find the configuration as config.json in the working directory: `run` and `check` the same one, without a flag.
# If nobody mounts a file where the link leads, the defaults and the environment are all there is. What the bridge keeps is
# in data/ there, which belongs to its user; the rest of the file system may be read-only.
RUN install --directory /etc/exemplar-bridge /var/lib/exemplar-bridge \
    && install --directory --owner 65532 --group 65532 --mode 750 /var/lib/exemplar-bridge/data \
    && ln --symbolic /etc/exemplar-bridge/config.json /var/lib/exemplar-bridge/config.json
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY LICENSE /usr/share/doc/exemplar-bridge/
COPY --from=build /usr/local/bin/exemplar-bridge /usr/local/bin/

# The linked-in OpenSSL looks in a directory of its own for the authorities to trust, unless told.
ENV SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt
# The default, 127.0.0.1, cannot be reached from outside of a container; which ports are open to whom is said when it is
# started. This wins over the file: set it to something else, or to nothing, and the file's `http.listen` counts.
ENV EXEMPLAR_BRIDGE_HTTP__LISTEN=0.0.0.0:8000
EXPOSE 8000

# By number, so that Kubernetes' runAsNonRoot sees that it is not root.
USER 65532:65532
WORKDIR /var/lib/exemplar-bridge
VOLUME /var/lib/exemplar-bridge/data

# SIGTERM, the default, is what it wants. A shutdown may take `kafka.drain_timeout` (20 s), which is longer than Docker waits:
# `docker stop --time 30`. No HEALTHCHECK: it could only ask /-/healthy, which says no more than that the process runs. What
# starts the container asks /-/ready.
ENTRYPOINT ["exemplar-bridge"]

# Version and revision are for whoever publishes it: `docker build --label …`.
LABEL org.opencontainers.image.title="exemplar-bridge" \
    org.opencontainers.image.description="Metrics from Kafka to VictoriaMetrics, with their exemplars kept and searchable" \
    org.opencontainers.image.licenses="Apache-2.0"
