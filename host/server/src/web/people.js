// Whose a provider's users are: the table that an admin sees below a connection.

// `api` and `element` are the page's own. The list is fetched when the table is first opened.
export function people(connection, api, element) {
  const path = `/v1/connections/${encodeURIComponent(connection.id)}/people`;
  const rows = element("tbody");
  const message = element("p", { className: "error", role: "alert" });
  const table = element("table", {},
    element("thead", {}, element("tr", {}, ...["User", "E-mail address", "Said by"].map((text) => element("th", { scope: "col", textContent: text })))),
    rows);
  const note = element("p", { className: "note", textContent: "What only a user may read is found by the person whose they are. Your word counts before the service's." });
  const details = element("details", { className: "people" }, element("summary", { textContent: "Whose the service's users are" }), note, table, message);

  async function load() {
    const { people } = await api("GET", path);
    rows.replaceChildren(...people.map(row));
    table.hidden = people.length === 0;
    if (!people.length) message.textContent = "The service has told of no users yet.";
  }

  // Says or takes back whose a user is, and shows what counts then. The field that was used keeps the focus.
  async function change(user, method, body) {
    message.textContent = "";
    try {
      await api(method, `${path}/${encodeURIComponent(user)}`, body);
      await load();
    } catch (error) {
      message.textContent = error.message;
    }
    rows.querySelector(`[data-user="${CSS.escape(user)}"] input`)?.focus();
  }

  function row(one) {
    const name = one.name ?? one.user;
    const field = element("input", { type: "email", required: true, value: one.email ?? "", ariaLabel: `E-mail address of ${name}`, placeholder: "nobody known" });
    const form = element("form", {}, field, element("button", { textContent: "Save", ariaLabel: `Save for ${name}` }));
    form.onsubmit = (event) => {
      event.preventDefault();
      change(one.user, "PUT", { email: field.value.trim() });
    };
    if (one.mapped) {
      const back = element("button", { type: "button", className: "quiet", textContent: "Take back", ariaLabel: `Take back for ${name}` });
      back.onclick = () => change(one.user, "DELETE");
      form.append(back);
    }
    const said = one.mapped ? "an admin" : one.email ? "the service" : "nobody";
    const line = element("tr", {},
      element("th", { scope: "row" }, name, element("div", { className: "note", textContent: one.user })),
      element("td", {}, form),
      element("td", { className: "note", textContent: said }));
    line.dataset.user = one.user;
    return line;
  }

  details.ontoggle = () => {
    if (details.open && !rows.children.length) load().catch((error) => { message.textContent = error.message; });
  };
  return details;
}
