/** What test/global-setup.ts provides to every test file through vitest's `inject`. */
declare module 'vitest' {
  export interface ProvidedContext {
    /** Superuser connection to the run's PostgreSQL 18. */
    postgresAdminUrl: string;
    /** Password of the logins spark_api and spark_worker. */
    postgresLoginPassword: string;
    /** `host:port` of the run's Temporal development server; every file uses its own task queues. */
    temporalAddress: string;
    /** For `createTimeSkipping({ server: { executable: { type: 'existing-path', path } } })`. */
    timeSkippingExecutable: string;
    /** Path of the workflow bundle, built once for the run. */
    workflowBundle: string;
  }
}

/** Name of the migrated database that every test database is copied from. */
export const TEMPLATE_DATABASE = 'spark_template';
