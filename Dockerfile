# syntax=docker/dockerfile:1
#
#   docker build -t ghostmux .
#   docker run --rm -p 127.0.0.1:9222:9222 --shm-size=1g -e GHOSTMUX_INSECURE=true \
#     --cap-add=SYS_ADMIN --security-opt=no-new-privileges ghostmux
#
# The last line is for Chrome's sandbox; docs/operating.md says why, and what else there is.

# --- build -------------------------------------------------------------------------------------------------------------
# The toolchain of rust-toolchain.toml.
ARG RUST=1.95.0
FROM rust:${RUST}-slim-bookworm AS build
ARG RUST
# Named here, so that rustup does not also fetch the lint tools that rust-toolchain.toml asks for.
ENV RUSTUP_TOOLCHAIN=${RUST}
WORKDIR /src
COPY . .
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target \
    cargo build --profile release-lto --locked && cp target/release-lto/ghostmux /usr/local/bin/ghostmux

# --- run ---------------------------------------------------------------------------------------------------------------
FROM debian:bookworm-slim
# Further fonts: docker build --build-arg FONTS="fonts-liberation fonts-noto-color-emoji fonts-noto-cjk" (90 MB more).
ARG FONTS="fonts-liberation fonts-noto-color-emoji"
RUN apt-get update \
    && apt-get install -y --no-install-recommends chromium-headless-shell tini ${FONTS} \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --create-home --uid 10001 ghostmux
COPY --from=build /usr/local/bin/ghostmux /usr/local/bin/ghostmux

# By number, so that Kubernetes can see that it is not root.
USER 10001:10001
WORKDIR /home/ghostmux
# A container's loopback is its own: to be reached, ghostmux must listen beyond it. That is refused until you say
# GHOSTMUX_INSECURE=true, which is your word that only those can reach the port who may drive the browsers.
ENV GHOSTMUX_LISTEN=0.0.0.0:9222
EXPOSE 9222
# tini passes signals on and collects the processes that Chrome leaves behind.
ENTRYPOINT ["tini", "--", "ghostmux"]
CMD ["serve"]
