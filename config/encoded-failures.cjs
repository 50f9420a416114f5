/**
 * Messages and stack traces of failures as payloads, which the codec then encrypts; without it Temporal keeps them as
 * they are. Loaded by the SDK from its path, also into the workflow bundle: hence CommonJS, which every loader reads.
 */
const { DefaultFailureConverter } = require('@temporalio/common');

exports.failureConverter = new DefaultFailureConverter({ encodeCommonAttributes: true });
