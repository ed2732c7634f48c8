// The page that the binary serves. It uses the public /v1 API alone; whatever comes from documents or tools is put in
// as text, never as markup, so that no answer can load or run anything.

import { people } from "/people.js";
import { proposal_cards, waits } from "/proposal.js";

const $ = (selector, root = document) => root.querySelector(selector);
const element = (name, props = {}, ...children) => {
  const node = Object.assign(document.createElement(name), props);
  node.append(...children);
  return node;
};
// `people` keeps each connection's table over the refreshes of the list, with what is being typed in it.
const state = { token: null, demo: false, session: false, me: null, people: new Map() };

async function send(method, path, body) {
  const request = () => fetch(path, {
    method,
    headers: { ...(state.token && { authorization: `Bearer ${state.token}` }), ...(body && { "content-type": "application/json" }) },
    body: body && JSON.stringify(body),
  });
  let response = await request();
  // A caller token is good for minutes, the session that it came from for a day.
  if (response.status === 401 && state.session && await renew()) response = await request();
  if (response.status === 401 && !state.demo) show_signin();
  return response;
}

// A caller token for whoever signed in in this browser, if anybody did.
async function renew() {
  const response = await fetch("/v1/session", { method: "POST" }).catch(() => null);
  state.session = response?.ok ?? false;
  state.token = state.session ? (await response.json()).token : null;
  return state.session;
}

async function api(method, path, body) {
  const response = await send(method, path, body);
  const json = response.status === 204 ? null : await response.json().catch(() => null);
  if (!response.ok) throw new Error(json?.error?.message ?? `The server answered ${response.status}`);
  return json;
}

// A link only where it surely is a web address; everything else stays text.
function safe_link(url, text) {
  try {
    const parsed = new URL(url);
    if (parsed.protocol === "https:" || parsed.protocol === "http:") {
      return element("a", { href: parsed.href, target: "_blank", rel: "noopener noreferrer", textContent: text });
    }
  } catch { /* not an address */ }
  return element("span", { textContent: text });
}

/* ---- chat ---- */

async function* events(response) {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    rest += value;
    const blocks = rest.split("\n\n");
    rest = blocks.pop();
    for (const block of blocks) {
      const data = block.split("\n").filter((line) => line.startsWith("data:")).map((line) => line.slice(5).trim()).join("\n");
      if (data && data !== "[DONE]") yield JSON.parse(data);
    }
  }
}

function write_answer(node, text, sources) {
  node.replaceChildren();
  for (const piece of text.split(/(\[\d+\])/)) {
    const number = piece.match(/^\[(\d+)\]$/)?.[1];
    const source = number && sources[number - 1];
    if (source) node.append(element("sup", {}, safe_link(source.url, piece)));
    else node.append(...emphasised(piece));
  }
}

// "*so*" as emphasis, the one mark of Markdown that answers and reasons use for names.
function emphasised(text) {
  return text.split(/(\*[^*\n]+\*)/).map((piece) =>
    /^\*[^*\n]+\*$/.test(piece) ? element("em", { textContent: piece.slice(1, -1) }) : piece);
}

async function ask(question) {
  const answer = element("div", { className: "answer", textContent: "…" });
  const list = element("ol", { className: "sources" });
  const turn = element("li", {}, element("div", { className: "asked", textContent: question }), answer, list);
  $("#turns").append(turn);
  $("#examples").hidden = true;
  turn.scrollIntoView({ block: "start" });
  let text = "";
  const sources = [];
  try {
    const response = await send("POST", "/v1/chat", { messages: [{ role: "user", parts: [{ type: "text", text: question }] }] });
    if (!response.ok) throw new Error((await response.json().catch(() => null))?.error?.message ?? `The server answered ${response.status}`);
    for await (const part of events(response)) {
      if (part.type === "text-delta") write_answer(answer, (text += part.delta), sources);
      else if (part.type === "source-url") {
        sources.push(part);
        list.append(element("li", {}, safe_link(part.url, part.title ?? part.url)));
      } else if (part.type === "data-proposal") turn.append(proposal_card(part.data));
      else if (part.type === "error") turn.append(element("p", { className: "error", role: "alert", textContent: part.errorText }));
    }
    if (text) write_answer(answer, text, sources);
    else answer.remove();
  } catch (error) {
    answer.replaceWith(element("p", { className: "error", role: "alert", textContent: error.message }));
  }
  turn.dataset.finished = "true";
  turn.lastElementChild.scrollIntoView({ block: "nearest" });
  refresh_approvals();
}

/* ---- approvals ---- */

const proposal_card = proposal_cards({ $, element, emphasised, safe_link, api, me: () => state.me, refresh: () => refresh_approvals() });

async function refresh_approvals() {
  if (!state.token) return;
  const { approvals } = await api("GET", "/v1/approvals");
  const waiting = approvals.filter(waits);
  $("#waiting").hidden = waiting.length === 0;
  $("#waiting").textContent = waiting.length;
  const fill = (root, list, none) => root.replaceChildren(...(list.length ? list.map(proposal_card) : [element("p", { className: "note", textContent: none })]));
  fill($("#pending"), waiting, "Nothing waits for you.");
  fill($("#decided"), approvals.filter((proposal) => !waits(proposal)), "Nothing was decided yet.");
}

/* ---- connections ---- */

async function refresh_connections() {
  const { connections } = await api("GET", "/v1/connections");
  const focused = document.activeElement;
  $("#connection-list").replaceChildren(...connections.map(connection_card));
  if (focused?.isConnected) focused.focus();
  if (connections.some((connection) => connection.sync?.running)) setTimeout(refresh_connections, 700);
}

function connection_card(connection) {
  const sync = connection.sync;
  const line = element("p", { className: "note" });
  const card = element("article", { className: "connection" },
    element("strong", { textContent: `${connection.name} · ${connection.connector}` }),
    element("div", { textContent: `${connection.account_name} — ${connection.owner === "workspace" ? "the workspace's" : "a person's"}, ${connection.state}` }),
    element("div", { className: "error", textContent: connection.reason ?? "" }),
    element("div", { className: "note", textContent: connection.granted.map((c) => `${c.id} (${c.setting})`).join(", ") || "nothing granted" }),
    line);
  card.dataset.connection = connection.id;
  if (["needs-reauth", "revoked"].includes(connection.state)) {
    const button = element("button", { textContent: "Connect again" });
    button.onclick = () => consent({ connection: connection.id }, line);
    card.append(button);
  }
  if (sync) {
    line.textContent = sync.running
      ? `Synchronising: ${sync.documents} documents so far; ${sync.to_embed} to embed`
      : sync.error ? `Last sync failed: ${sync.error}` : `${sync.documents_total} documents, last sync ${new Date(sync.finished).toLocaleString()}`;
    if (sync.running) card.append(element("progress"));
    const button = element("button", { className: "quiet", textContent: "Synchronise now", disabled: sync.running });
    button.onclick = async () => {
      button.disabled = true;
      try { await api("POST", `/v1/connections/${connection.id}/sync`); } catch (error) { line.textContent = error.message; }
      refresh_connections();
    };
    card.append(button);
    if (state.me.roles.includes("admin")) {
      if (!state.people.has(connection.id)) state.people.set(connection.id, people(connection, api, element));
      card.append(state.people.get(connection.id));
    }
  }
  return card;
}

async function prepare_connect() {
  const { connectors } = await api("GET", "/v1/connectors");
  const form = $("#connect-form");
  form.connector.replaceChildren(...connectors.map((connector) => new Option(connector.name, connector.id)));
  const chosen = () => {
    const connector = connectors.find((one) => one.id === form.connector.value);
    form.auth.replaceChildren(...(connector?.auth ?? []).map((auth) => new Option(auth.label, auth.id)));
    $("#capabilities").replaceChildren(element("legend", { textContent: "What it may do" }), ...(connector?.capabilities ?? []).map((capability) =>
      element("label", {}, element("input", { type: "checkbox", name: "capability", value: capability.id, checked: capability.access === "read" }), ` ${capability.summary} (${capability.id})`)));
  };
  form.connector.onchange = chosen;
  chosen();
  form.onsubmit = async (event) => {
    event.preventDefault();
    const capabilities = [...form.querySelectorAll("[name=capability]:checked")].map((box) => box.value);
    await consent({ connector: form.connector.value, auth: form.auth.value, name: form.name.value || undefined, owner: form.owner.value, capabilities }, $(".error", form));
  };
}

// What a consent means is read on the host's own page, which needs no script; it leads back here.
async function consent(asked, complaint) {
  try {
    const link = await api("POST", "/v1/connections/link", { ...asked, return_to: `${location.origin}/` });
    location.assign(link.url);
  } catch (error) {
    complaint.textContent = error.message;
  }
}

/* ---- who ---- */

function show_signin() {
  $("#signin").hidden = false;
  for (const view of document.querySelectorAll(".view")) view.hidden = true;
  $("#me").textContent = "";
  $("#signout").hidden = true;
  $("#workspace").focus();
}

async function enter(token) {
  state.token = token;
  const me = await api("GET", "/v1/me");
  state.me = me;
  state.people.clear();
  $("#signin").hidden = true;
  $("#me").textContent = state.demo ? "" : me.name ?? me.subject;
  $("#signout").hidden = !state.session;
  $("#model").textContent = me.model;
  show("chat");
  await Promise.all([refresh_approvals(), refresh_connections(), prepare_connect()]);
}

function show(name) {
  for (const view of document.querySelectorAll(".view")) view.hidden = view.id !== name;
  for (const tab of document.querySelectorAll("[role=tab]")) tab.setAttribute("aria-selected", String(tab.dataset.view === name));
}

for (const tab of document.querySelectorAll("[role=tab]")) {
  tab.onclick = () => {
    show(tab.dataset.view);
    if (tab.dataset.view === "approvals") refresh_approvals();
    if (tab.dataset.view === "connections") refresh_connections();
  };
}
$("#ask").onsubmit = (event) => {
  event.preventDefault();
  const question = event.target.question.value.trim();
  event.target.reset();
  if (question) ask(question);
};
$("#ask textarea").onkeydown = (event) => {
  if (event.key === "Enter" && !event.shiftKey) { event.preventDefault(); $("#ask").requestSubmit(); }
};
// The browser goes there by itself: the page's policy lets no form be sent anywhere.
$("#workspace-form").onsubmit = (event) => {
  event.preventDefault();
  location.assign(`/signin/${encodeURIComponent(event.target.workspace.value.trim())}`);
};
$("#signout").onclick = async () => {
  const response = await fetch("/signin/signout", { method: "POST" }).catch(() => null);
  if (!response?.ok) return alert("You could not be signed out: try again");
  // What was shown was this person's.
  location.reload();
};
$("#signin-form").onsubmit = (event) => {
  event.preventDefault();
  enter(event.target.token.value.trim()).catch((error) => alert(error.message));
  event.target.reset();
};

async function start() {
  const users = await fetch("/v1/demo/users").then((response) => (response.ok ? response.json() : null)).catch(() => null);
  if (!users) {
    $("#user").parentElement.hidden = true;
    return (await renew()) ? enter(state.token) : show_signin();
  }
  state.demo = true;
  const select = $("#user");
  select.replaceChildren(...users.users.map((user) => new Option(`${user.name} (${user.email})`, user.subject)));
  $("#examples").replaceChildren(...users.examples.map((example) => {
    const button = element("button", { type: "button", textContent: example });
    button.onclick = () => ask(example);
    return button;
  }));
  const sign_in = async () => {
    $("#turns").replaceChildren();
    $("#examples").hidden = false;
    const session = await api("POST", "/v1/demo/session", { subject: select.value });
    await enter(session.token);
  };
  select.onchange = sign_in;
  await sign_in();
}
start();
