# The platform as an image: agent, workerd, git. Targets: platform (default), oidc (a provider for trying logins out).
# docker buildx build --platform linux/amd64,linux/arm64 --tag wrkst-platform .
ARG NODE=24-trixie-slim

FROM node:${NODE} AS modules
RUN apt-get update \
  && apt-get install -y --no-install-recommends g++ make python3 \
  && rm -rf /var/lib/apt/lists/*
WORKDIR /app
COPY package.json package-lock.json ./
COPY cli/package.json cli/
COPY d1/package.json d1/
# The scripts of these packages run and no others. better-sqlite3 is compiled, against the headers that the base image
# has: nothing is downloaded but packages.
RUN --mount=type=cache,target=/root/.npm \
  npm ci --ignore-scripts --no-audit --no-fund \
  && npm_config_build_from_source=true npm_config_nodedir=/usr/local npm rebuild better-sqlite3 esbuild workerd

FROM modules AS oidc
COPY scripts/oidc-provider.mjs scripts/
USER 1000:1000
EXPOSE 9000
CMD ["node", "scripts/oidc-provider.mjs"]

FROM modules AS build
COPY . .
RUN npm run build \
  && npm prune --omit=dev --no-audit --no-fund \
  && rm -rf node_modules/better-sqlite3/deps node_modules/better-sqlite3/src \
  && find node_modules/better-sqlite3/build -type f ! -name better_sqlite3.node -delete

FROM node:${NODE} AS platform
LABEL org.opencontainers.image.title="wrkst" \
  org.opencontainers.image.description="Workers-style functions from a git repository, on your own server" \
  org.opencontainers.image.licenses="MIT"
RUN apt-get update \
  && apt-get install -y --no-install-recommends ca-certificates git gpg openssh-client tini \
  && rm -rf /var/lib/apt/lists/* \
  && install -d -o 1000 -g 1000 -m 0700 /data \
  && ln -s /app/cli/bin/wrkst.mjs /usr/local/bin/wrkst
WORKDIR /app
COPY --from=build /app/package.json /app/LICENSE ./
COPY --from=build /app/node_modules node_modules
COPY --from=build /app/dist dist
COPY --from=build /app/cli cli
COPY --from=build /app/d1 d1
COPY --from=build /app/examples examples
COPY --from=build /app/scripts/healthy.mjs scripts/
ENV NODE_ENV=production \
  DATA_DIR=/data \
  ADMIN_LISTEN=127.0.0.1:8081 \
  WRKST_URL=http://127.0.0.1:8081
USER 1000:1000
VOLUME /data
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 CMD ["node", "scripts/healthy.mjs"]
# tini reaps what git and npm leave behind, and hands signals to the agent, which stops the runtime in order.
ENTRYPOINT ["tini", "--"]
CMD ["node", "dist/agent/main.js"]
