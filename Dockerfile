# The portal and its watchdog: one image, for the watchdog has to know the recipes of the portal that ordered an upgrade.
#
#   docker build --build-arg VERSION=1.2.3 --build-arg SOURCE=https://github.com/you/fleetwright -t fleetwright:1.2.3 .
#
# SOURCE is where its code and its releases are: the portal's own upgrade has a link to the release notes by it.

FROM python:3.11-slim-bookworm AS packages
COPY requirements.txt /tmp/
RUN python3 -m venv /opt/venv \
 && /opt/venv/bin/pip install --no-cache-dir --require-hashes --requirement /tmp/requirements.txt

FROM python:3.11-slim-bookworm
# Compose is the watchdog's: it makes the portal's containers anew. Debian's package needs no Docker beside it.
RUN apt-get update \
 && apt-get install --yes --no-install-recommends docker-compose \
 && rm -rf /var/lib/apt/lists/* \
 && useradd --system --uid 10001 --user-group --home-dir /data --shell /usr/sbin/nologin fleetwright \
 && install --directory --owner fleetwright --group fleetwright --mode 700 /data
COPY --from=packages /opt/venv /opt/venv
WORKDIR /app
COPY manage.py ./
COPY static static
COPY templates templates
COPY portal portal
COPY devices devices
COPY updates updates
COPY patches patches

ARG VERSION=0.1.0
ARG SOURCE=
LABEL org.opencontainers.image.title="Fleetwright" \
      org.opencontainers.image.version="$VERSION" \
      org.opencontainers.image.source="$SOURCE"
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    FLEETWRIGHT_VAR=/data \
    FLEETWRIGHT_VERSION="$VERSION"
# Nothing below /app can be written later. The secrets that the settings make for themselves are thrown away.
RUN python -m compileall -q . \
 && FLEETWRIGHT_VAR=/tmp/var python manage.py collectstatic --no-input --verbosity 0 \
 && rm -rf /tmp/var

USER fleetwright
EXPOSE 8000
CMD ["python", "manage.py", "start", "web", "--host", "0.0.0.0"]
