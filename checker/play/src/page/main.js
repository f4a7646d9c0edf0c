import { connect } from "./control.js";
import * as clients from "./clients.js";
import * as wire from "./wire.js";
import * as sequence from "./sequence.js";
import * as server from "./server.js";
import * as polling from "./polling.js";
import * as classMode from "./class.js";
import * as recording from "./recording.js";
import * as script from "./script.js";

for (const part of [clients, wire, sequence, server, polling, classMode, script, recording]) part.start();
connect();
