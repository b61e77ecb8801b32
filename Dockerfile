# syntax=docker/dockerfile:1
# One image for all: TorchServe and the gateway together, or either of them alone. docs/containers.md tells how.

ARG PYTHON=3.12.12-slim-bookworm

FROM python:${PYTHON} AS build
# Compiled here, for in a container nothing can be written beside the sources.
ENV UV_COMPILE_BYTECODE=1 \
    UV_LINK_MODE=copy \
    UV_NO_CACHE=1
RUN pip install --no-cache-dir uv==0.13.8
WORKDIR /opt/fishgate
COPY requirements.txt ./
COPY server/__init__.py server/bootstrap.py server/
RUN python -m server.bootstrap

FROM python:${PYTHON}
LABEL org.opencontainers.image.title="Fishgate" \
      org.opencontainers.image.description="Tells which fish is in a photograph, served by TorchServe." \
      org.opencontainers.image.licenses="Apache-2.0"
# Volumes that are laid over these folders take their owner from here.
RUN groupadd --gid 10001 fishgate \
    && useradd --uid 10001 --gid 10001 --home-dir /var/lib/fishgate --shell /usr/sbin/nologin fishgate \
    && install --directory --owner=10001 --group=10001 --mode=0750 /var/lib/fishgate \
    && install --directory --owner=10001 --group=10001 /opt/fishgate/models/expert/hub \
    && install --directory --owner=10001 --group=10001 /opt/fishgate/models/zero_shot/hub \
    && python -m pip uninstall --yes --root-user-action=ignore pip \
    && rm -rf /usr/local/lib/python3*/ensurepip
# A name for whichever user it is run as: torch asks for one, and a number that nobody knows has none.
ENV PATH=/opt/fishgate/.venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    HOME=/var/lib/fishgate \
    LOGNAME=fishgate \
    FISHGATE_HOME=/var/lib/fishgate/run \
    FISHGATE_STORE=/var/lib/fishgate/store \
    FISHGATE_INSTALL=never \
    NVIDIA_DRIVER_CAPABILITIES=compute,utility
WORKDIR /opt/fishgate
COPY --from=build /opt/fishgate/.venv .venv
COPY LICENSE config.properties log4j2.xml metrics.yaml requirements.txt ./
COPY samples/drawn_goldfish.jpg samples/drawn_goldfish.jpg
COPY docs/api docs/api
COPY scripts scripts
COPY species_lists species_lists
COPY models models
COPY client client
COPY packs packs
COPY handlers handlers
COPY fishgate fishgate
COPY server server
COPY gateway gateway
# Species lists get their embeddings here: a container without a volume would compute them at each start.
RUN python -m compileall -q client packs handlers fishgate server gateway \
    && python -m packs.prepare_lists --pack models/zero_shot/demo --lists species_lists --target /tmp/lists \
    && rm -r /tmp/lists

USER 10001:10001
VOLUME /var/lib/fishgate
# The gateway: HTTP and gRPC. TorchServe's own ports are for nobody outside.
EXPOSE 8000 7080
STOPSIGNAL SIGTERM
# The hub pack's models take minutes to load on a slow disk.
HEALTHCHECK --interval=30s --timeout=30s --start-period=15m --retries=3 \
    CMD ["python", "/opt/fishgate/scripts/healthcheck"]
CMD ["python", "scripts/serve", "--foreground", "--listen", "0.0.0.0"]
