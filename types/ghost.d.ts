// Written by `ghostmux ghost-types`; change fixtures/ghost.json instead.
//
// The shapes alone. Puppeteer's `CDPSession` learns of them from ghost-puppeteer.d.ts, Playwright's from
// ghost-playwright.d.ts.

/** Sessions that outlive their socket. A session is what a client gets from ghostmux: a virtual browser with an id, an owner, a state and deadlines; a socket is only how somebody looks at it. Answered on any root connection (a frame without `sessionId`, or on a CDP session of `Target.attachToBrowserTarget`). */
export namespace Ghost {

  /** `queued`: it waits for a place in a browser. `active`: it has a client. `parked`: the socket is gone, its pages run on. `hibernated`: it is saved and out of the browser, because it was parked for long, or its browser or its server died while it had `autosave`; whoever connects finds it restored. `closed`: it is over, and stays so. */
  type SessionState = 'queued' | 'active' | 'parked' | 'hibernated' | 'closed';

  /** `timeout`: time since the session began. `idleTimeout`: time since a client last sent a frame, while one is connected; what Chrome sends is not life. `keepAlive`: time since the last socket went. */
  type Deadline = 'timeout' | 'idleTimeout' | 'keepAlive';

  /** What its owner wants to remember of a session: string values under string keys, at most 4 KiB as JSON. Never looked into. */
  type Metadata = Record<string, string>;

  /** A span of time, in milliseconds. For `timeout` and `idleTimeout` 0 means without limit; for `keepAlive` 0 means that the session ends with its last socket; for `hibernateAfter` and `autosave` 0 means never. */
  type Milliseconds = number;

  /** A session as its owner sees it. */
  interface Session {
    /** Its id, by which one comes back to it. */
    id: string;
    state: SessionState;
    /** Where to connect to come back to it. */
    webSocketDebuggerUrl: string;
    /** As its owner calls it; need not be unique. At most 200 characters. */
    name?: string;
    metadata?: Metadata;
    /** When it began, in milliseconds since 1970-01-01 UTC. */
    createdAt: number;
    timeout: Milliseconds;
    idleTimeout: Milliseconds;
    keepAlive: Milliseconds;
    /** How long it is parked before it is saved, and its pages are closed. */
    hibernateAfter: Milliseconds;
    /** How often it is saved while it goes on, to be brought back should its browser die. */
    autosave: Milliseconds;
    /** When the first of its deadlines that run now ends it, in milliseconds since 1970-01-01 UTC; absent if none runs. */
    expiresAt?: number;
    /** Which deadline that is. */
    expiresBy?: Deadline;
    /** Sockets connected to it now, page sockets included. */
    clients: number;
    /** These sockets, the earliest first; only in the answer of `getSession`, and absent if there are none. */
    clientList?: Client[];
    /** Number of the browser it is in; absent while it waits for a place. */
    browser?: number;
  }

  /** A socket on a session. */
  interface Client {
    /** Its number in the session. */
    id: number;
    /** The page it speaks to; absent for a browser-level client. */
    targetId?: string;
    /** When it connected, in milliseconds since 1970-01-01 UTC. */
    connectedAt: number;
    /** Whether it connected with `exclusive=true`: no other browser-level client may connect while it stays. */
    exclusive: boolean;
  }

  /** What a session has used since it began. */
  interface Usage {
    /** Time since it began. */
    wallTime: Milliseconds;
    /** Frames from its clients. */
    framesIn: number;
    /** Frames to its clients. */
    framesOut: number;
    /** Bytes of these frames from its clients. */
    bytesIn: number;
    /** Bytes of these frames to its clients. */
    bytesOut: number;
    /** Commands among the frames from its clients. */
    commands: number;
    /** Events among the frames to its clients. */
    events: number;
    /** Pages open now. */
    pages: number;
    /** Most pages open at a time. */
    pagesMost: number;
    /** Bytes of JavaScript heap in use in its pages now. Pages that do not answer within 2 s, because they are busy or paused, are left out here and below. */
    jsHeapUsed?: number;
    /** DOM nodes of its pages now. */
    domNodes?: number;
    /** Processor time of the renderers of the pages that are open now, since each began, to 10 ms. Frames in a renderer of their own and pages that are closed are not in it. */
    cpuTime?: Milliseconds;
  }

  /** `cookies`: with every attribute. `localStorage` and `indexedDB`: of every origin of the session. `pages`: those that are open, each with its sessionStorage, history, scroll position and emulation. `permissions`: what clients granted to sites by `Browser.grantPermissions` and `Browser.setPermission`. `formFields`: what stands in the pages' form fields, passwords included. */
  type SnapshotPart = 'cookies' | 'localStorage' | 'indexedDB' | 'pages' | 'permissions' | 'formFields';

  /** `replace`: the session's pages are closed, its cookies and storage cleared before. `merge`: what the snapshot does not name stays. */
  type RestoreMode = 'replace' | 'merge';

  /** `playwright`: the `storageState` of Playwright, which holds cookies, localStorage and IndexedDB of one context. `ghostmux`: everything, one JSON record a line. */
  type SnapshotFormat = 'playwright' | 'ghostmux';

  /** What Playwright's `context.storageState()` gives and `browser.newContext({ storageState })` takes. */
  type StorageState = unknown;

  /** The state of a session as it was saved. It belongs to the owner of the session. */
  interface Snapshot {
    /** Its id; later ones sort after earlier ones. */
    id: string;
    /** As its owner calls it; need not be unique. */
    name?: string;
    metadata?: Metadata;
    /** When it was saved, in milliseconds since 1970-01-01 UTC. */
    createdAt: number;
    /** When it goes by itself, in milliseconds since 1970-01-01 UTC; absent if only when it is deleted. */
    expiresAt?: number;
    /** The session it is of; absent if it was imported. */
    sessionId?: string;
    /** Bytes of its content. */
    size: number;
    /** Bytes it takes in the store, compressed. */
    storedSize: number;
    /** What it was to have. */
    parts: SnapshotPart[];
    /** Cookies in it. */
    cookies: number;
    /** Origins, or partitions of one, that have something in it. */
    origins: number;
    /** Databases in it. */
    databases: number;
    /** Pages in it. */
    pages: number;
    /** Whether a deadline came before everything was read. */
    partial: boolean;
  }

  /** Something that was not carried. */
  interface Omission {
    /** What kind of thing it is, and its name; never its value. */
    what: string;
    /** The origin, URL or context it is of; empty if it is of none. */
    place: string;
    /** Why. */
    reason: string;
  }

  /** A session or a snapshot that is in the store and whose record cannot be read: another version of ghostmux wrote it, or something damaged it. It cannot be used, and can be deleted by its id. */
  interface Unreadable {
    id: string;
    /** What is wrong with its record. */
    reason: string;
  }

  /** What saving, restoring or converting carried, and what it did not. */
  interface SnapshotReport {
    cookies: number;
    /** Origins, or partitions of one, that had something. */
    origins: number;
    databases: number;
    /** Rows of these databases. */
    rows: number;
    pages: number;
    /** Size of the content. */
    bytes: number;
    /** How long it took. */
    took: Milliseconds;
    /** Whether a deadline came before everything was read. */
    partial: boolean;
    /** What was not carried; the first 200 of it. */
    omitted: Omission[];
    /** How much was not carried. */
    omittedCount: number;
  }

  /** Of `ghost.enable`. */
  interface EnableParams {
    /** How long before a deadline `sessionExpiring` is sent. 30 s if absent. */
    expiringNotice?: Milliseconds;
  }

  /** Of `ghost.getSession`. */
  interface GetSessionParams {
    /** Which; this connection's if absent. */
    id?: string;
  }

  /** Of `ghost.getSession`. */
  interface GetSessionResult {
    session: Session;
  }

  /** Of `ghost.listSessions`. */
  interface ListSessionsParams {
    /** Only those in this state. */
    state?: SessionState;
    /** Only those of this name. */
    name?: string;
    /** Only those that have all of this. */
    metadata?: Metadata;
    /** At most so many, 1 to 1000; 100 if absent. */
    limit?: number;
    /** What the page before this one gave as `next`. */
    cursor?: string;
  }

  /** Of `ghost.listSessions`. */
  interface ListSessionsResult {
    sessions: Session[];
    /** Those that hibernate and whose record in the store cannot be read; absent if there are none, and where a name or metadata is asked for. */
    unreadable?: Unreadable[];
    /** For the next page; absent on the last. */
    next?: string;
  }

  /** Of `ghost.createSession`. */
  interface CreateSessionParams {
    /** An id of one's own choice that was never used here: 8 to 64 characters of A-Z a-z 0-9 . _ -. Chosen by the server if absent. */
    id?: string;
    name?: string;
    metadata?: Metadata;
    timeout?: Milliseconds;
    idleTimeout?: Milliseconds;
    /** How long it waits for a client to come (back). The server's default for sessions made so if absent. */
    keepAlive?: Milliseconds;
    hibernateAfter?: Milliseconds;
    /** At least 1000, or 0. */
    autosave?: Milliseconds;
    /** The snapshot it begins with; blank if absent. */
    snapshot?: string;
    /** Whether the snapshot's pages are opened; they are if absent. */
    pages?: boolean;
  }

  /** Of `ghost.createSession`. */
  interface CreateSessionResult {
    session: Session;
  }

  /** Of `ghost.updateSession`. */
  interface UpdateSessionParams {
    /** Which; this connection's if absent. */
    id?: string;
    /** An empty one takes it away. */
    name?: string;
    /** Takes the place of what was there. */
    metadata?: Metadata;
    timeout?: Milliseconds;
    idleTimeout?: Milliseconds;
    keepAlive?: Milliseconds;
    hibernateAfter?: Milliseconds;
    /** At least 1000, or 0. */
    autosave?: Milliseconds;
  }

  /** Of `ghost.updateSession`. */
  interface UpdateSessionResult {
    session: Session;
  }

  /** Of `ghost.closeSession`. */
  interface CloseSessionParams {
    /** Which; this connection's if absent. */
    id?: string;
  }

  /** Of `ghost.park`. */
  interface ParkParams {
    /** Which; this connection's if absent. */
    id?: string;
    /** Changed to this first, if given. A session without any is given the server's default for it. */
    keepAlive?: Milliseconds;
  }

  /** Of `ghost.park`. */
  interface ParkResult {
    session: Session;
  }

  /** Of `ghost.getUsage`. */
  interface GetUsageParams {
    /** Which; this connection's if absent. */
    id?: string;
  }

  /** Of `ghost.getUsage`. */
  interface GetUsageResult {
    usage: Usage;
  }

  /** Of `ghost.saveSnapshot`. */
  interface SaveSnapshotParams {
    /** Which session; this connection's if absent. */
    id?: string;
    /** What it is to have; all but `formFields` if absent. */
    parts?: SnapshotPart[];
    /** What to call it. At most 200 characters. */
    name?: string;
    metadata?: Metadata;
    /** How long it is kept; 0 is until it is deleted. As the server is set if absent. */
    ttl?: Milliseconds;
  }

  /** Of `ghost.saveSnapshot`. */
  interface SaveSnapshotResult {
    snapshot: Snapshot;
    report: SnapshotReport;
  }

  /** Of `ghost.restoreSnapshot`. */
  interface RestoreSnapshotParams {
    /** Which session; this connection's if absent. */
    id?: string;
    /** Which snapshot. */
    snapshot: string;
    /** `replace` if absent. */
    mode?: RestoreMode;
    /** Whether its pages are opened; they are if absent. */
    pages?: boolean;
  }

  /** Of `ghost.restoreSnapshot`. */
  interface RestoreSnapshotResult {
    report: SnapshotReport;
  }

  /** Of `ghost.cloneSession`. */
  interface CloneSessionParams {
    /** Which session; this connection's if absent. */
    id?: string;
    /** How many, 1 to 100; 1 if absent. */
    count?: number;
    /** What they are to have; all but `formFields` if absent. */
    parts?: SnapshotPart[];
    name?: string;
    metadata?: Metadata;
    timeout?: Milliseconds;
    idleTimeout?: Milliseconds;
    /** How long they wait for a client. The server's default for sessions made so if absent. */
    keepAlive?: Milliseconds;
    hibernateAfter?: Milliseconds;
    /** At least 1000, or 0. */
    autosave?: Milliseconds;
  }

  /** Of `ghost.cloneSession`. */
  interface CloneSessionResult {
    sessions: Session[];
    report: SnapshotReport;
  }

  /** Of `ghost.listSnapshots`. */
  interface ListSnapshotsParams {
    /** Only those with this in their name, in whatever case. */
    name?: string;
    /** Only those that have all of this. */
    metadata?: Metadata;
    /** At most so many, 1 to 1000; 100 if absent. */
    limit?: number;
    /** What the page before this one gave as `next`. */
    cursor?: string;
  }

  /** Of `ghost.listSnapshots`. */
  interface ListSnapshotsResult {
    snapshots: Snapshot[];
    /** Those whose record in the store cannot be read; absent if there are none, and where a name or metadata is asked for. */
    unreadable?: Unreadable[];
    /** For the next page; absent on the last. */
    next?: string;
  }

  /** Of `ghost.getSnapshot`. */
  interface GetSnapshotParams {
    /** Which. */
    snapshot: string;
  }

  /** Of `ghost.getSnapshot`. */
  interface GetSnapshotResult {
    snapshot: Snapshot;
  }

  /** Of `ghost.deleteSnapshot`. */
  interface DeleteSnapshotParams {
    /** Which. */
    snapshot: string;
  }

  /** Of `ghost.importSnapshot`. */
  interface ImportSnapshotParams {
    /** Either this, */
    storageState?: StorageState;
    /** or the `data` of `exportSnapshot`. */
    data?: string;
    /** What to call it. At most 200 characters. */
    name?: string;
    metadata?: Metadata;
    /** How long it is kept; 0 is until it is deleted. As the server is set if absent. */
    ttl?: Milliseconds;
  }

  /** Of `ghost.importSnapshot`. */
  interface ImportSnapshotResult {
    snapshot: Snapshot;
    report: SnapshotReport;
  }

  /** Of `ghost.exportSnapshot`. */
  interface ExportSnapshotParams {
    /** Which. */
    snapshot: string;
    /** `playwright` if absent. */
    format?: SnapshotFormat;
  }

  /** Of `ghost.exportSnapshot`. */
  interface ExportSnapshotResult {
    /** Of the format `playwright`. */
    storageState?: StorageState;
    /** Of the format `ghostmux`, in base64. */
    data?: string;
    /** What the format has no room for. */
    report: SnapshotReport;
  }

  /** Of `ghost.sessionExpiring`. */
  interface SessionExpiringEvent {
    deadline: Deadline;
    remaining: Milliseconds;
  }

  /** Of `ghost.sessionUpdated`. */
  interface SessionUpdatedEvent {
    session: Session;
  }

  /** Of `ghost.clientAttached`. */
  interface ClientAttachedEvent {
    client: Client;
  }

  /** Of `ghost.clientDetached`. */
  interface ClientDetachedEvent {
    client: Client;
    /** Why, if it did not simply go. */
    reason?: string;
  }

  /** Of `ghost.browserLost`. */
  interface BrowserLostEvent {
    reason: string;
    /** How long ago the session was saved last, by `autosave`: whoever connects to its URL finds it as it was then. Absent if it is lost. */
    savedAgo?: Milliseconds;
  }

  /** Of `ghost.snapshotSaved`. */
  interface SnapshotSavedEvent {
    snapshot: Snapshot;
    report: SnapshotReport;
  }

  /** Of `ghost.snapshotRestored`. */
  interface SnapshotRestoredEvent {
    /** Which. */
    snapshot: string;
    report: SnapshotReport;
  }

  /** Every command: what it takes and what it answers. */
  interface Commands {
    /** Turns this domain's events on, for the CDP session it is sent on. */
    'ghost.enable': { params: EnableParams; result: {} };
    /** Turns this domain's events off. */
    'ghost.disable': { params: undefined; result: {} };
    /** The session of this connection, or another of the same owner. */
    'ghost.getSession': { params: GetSessionParams; result: GetSessionResult };
    /** The sessions of this owner, oldest first. */
    'ghost.listSessions': { params: ListSessionsParams; result: ListSessionsResult };
    /** A new session, parked until somebody connects to it. */
    'ghost.createSession': { params: CreateSessionParams; result: CreateSessionResult };
    /** Changes what is given of a live session; a deadline that is changed counts from where it counted before. */
    'ghost.updateSession': { params: UpdateSessionParams; result: UpdateSessionResult };
    /** Ends a session with all its pages. Its clients are sent away with close code 1000, after the answer. */
    'ghost.closeSession': { params: CloseSessionParams; result: {} };
    /** Parks a session: its clients are sent away with close code 1000 and the URL to come back to as reason, after the answer; its pages run on for `keepAlive`. */
    'ghost.park': { params: ParkParams; result: ParkResult };
    /** What a session has used. */
    'ghost.getUsage': { params: GetUsageParams; result: GetUsageResult };
    /** Saves the state of a session as it is now, unseen by its clients and its pages. */
    'ghost.saveSnapshot': { params: SaveSnapshotParams; result: SaveSnapshotResult };
    /** Writes a snapshot into a running session: the storage first, then its pages are opened. A session that has a client can be restored into by that client only. */
    'ghost.restoreSnapshot': { params: RestoreSnapshotParams; result: RestoreSnapshotResult };
    /** New sessions in the state of this one, isolated from it and from each other, parked until somebody connects. The first runs on. All of them come about, or none. */
    'ghost.cloneSession': { params: CloneSessionParams; result: CloneSessionResult };
    /** The snapshots of this owner, the newest first. */
    'ghost.listSnapshots': { params: ListSnapshotsParams; result: ListSnapshotsResult };
    /** What is known of a snapshot. */
    'ghost.getSnapshot': { params: GetSnapshotParams; result: GetSnapshotResult };
    /** Deletes a snapshot. Sessions that began with it are not touched. */
    'ghost.deleteSnapshot': { params: DeleteSnapshotParams; result: {} };
    /** Makes a snapshot of Playwright's `storageState`, or of what `exportSnapshot` gave. */
    'ghost.importSnapshot': { params: ImportSnapshotParams; result: ImportSnapshotResult };
    /** Gives the content of a snapshot away: whoever has it is logged in where the session was. Up to 64 MiB; larger ones are at `GET /v1/snapshots/{id}/content`. */
    'ghost.exportSnapshot': { params: ExportSnapshotParams; result: ExportSnapshotResult };
  }

  /** Every event: what it tells. */
  interface Events {
    /** A deadline will end the session soon; `updateSession` moves it, and a frame of a client's moves `idleTimeout`. */
    'ghost.sessionExpiring': SessionExpiringEvent;
    /** Something of the session changed: its state, deadlines, name or metadata. */
    'ghost.sessionUpdated': SessionUpdatedEvent;
    /** Another socket joined the session. */
    'ghost.clientAttached': ClientAttachedEvent;
    /** Another socket left the session. */
    'ghost.clientDetached': ClientDetachedEvent;
    /** The browser of this session is lost, and the session with it unless it was saved; the socket is closed with 1011 after this. */
    'ghost.browserLost': BrowserLostEvent;
    /** The session was saved, by whomever of its owner's. */
    'ghost.snapshotSaved': SnapshotSavedEvent;
    /** A snapshot was written into the session. */
    'ghost.snapshotRestored': SnapshotRestoredEvent;
  }
}
