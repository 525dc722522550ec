# framegate in a container: docker build -t framegate . && docker run -p 8080:8080 \
#   -v ./config.yaml:/etc/framegate/config.yaml framegate
# The config has to listen on all addresses (":8080"). The health check asks its admin listener, if it has one, else the
# health_path of a listener, else whether the first one accepts a connection.
# drain.timeout is 25s, docker's own patience 10s: stop it with docker stop -t 35 (compose: stop_grace_period: 35s).

FROM node:24-slim AS build
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci --no-audit --no-fund
COPY tsconfig.json tsconfig.build.json tsconfig.page.json ./
COPY src src
# What speaks ACME is optional for others, and here it is there.
RUN npm run build && chmod 755 dist/cli.js \
  && npm pkg set dependencies.acme-client="$(npm pkg get devDependencies.acme-client | tr -d '"')" \
  && npm pkg delete devDependencies.acme-client && npm prune --omit=dev --no-audit --no-fund

FROM node:24-slim
ENV NODE_ENV=production
WORKDIR /app
COPY --from=build /app/node_modules node_modules
COPY --from=build /app/dist dist
COPY package.json LICENSE ./
RUN ln -s /app/dist/cli.js /usr/local/bin/framegate
USER node
EXPOSE 8080 9464
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=10s --retries=3 \
  CMD ["framegate", "healthcheck", "-c", "/etc/framegate/config.yaml"]
ENTRYPOINT ["framegate"]
CMD ["run", "-c", "/etc/framegate/config.yaml"]
