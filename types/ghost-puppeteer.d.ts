// Declares the `ghost` domain for Puppeteer's `CDPSession.send` and `CDPSession.on`: `import type {} from './ghost-puppeteer.js'`, once.

import type { Ghost } from './ghost.js';

type GhostCommands = {
  [Method in keyof Ghost.Commands]: {
    paramsType: [Ghost.Commands[Method]['params']?];
    returnType: Ghost.Commands[Method]['result'];
  };
};
type GhostEvents = { [Name in keyof Ghost.Events]: [Ghost.Events[Name]] };

declare module 'devtools-protocol/types/protocol-mapping.js' {
  namespace ProtocolMapping {
    interface Commands extends GhostCommands {}
    interface Events extends GhostEvents {}
  }
}
