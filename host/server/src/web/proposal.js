// The card of a proposal: what a person is shown before a write goes out, what became of it, and the buttons to say so.

// `page` has the page's own `$`, `element`, `emphasised`, `safe_link` and `api`, `me` for who looks, and `refresh` for when
// something was decided.
export function proposal_cards(page) {
  const { $, element, emphasised, safe_link, api } = page;

  // Arguments and results: what has a name is headed by it, everything else stands below.
  function tree(value) {
    if (Array.isArray(value)) return element("ul", {}, ...value.map((item) => element("li", {}, tree(item))));
    if (value && typeof value === "object") {
      const { name, ...rest } = value;
      const head = typeof name === "string" ? [element("strong", { textContent: name })] : [];
      const fields = Object.entries(head.length ? rest : value).map(([key, item]) =>
        element("li", {}, element("span", { className: "key", textContent: `${key}: ` }), tree(item)));
      return element("div", {}, ...head, element("ul", {}, ...fields));
    }
    return element("span", { textContent: String(value) });
  }

  function card_of(proposal) {
    const card = $("#proposal-template").content.cloneNode(true).firstElementChild;
    card.dataset.invocation = proposal.invocation;
    fill(card, proposal);
    return card;
  }

  // All of the card anew: an approved call may have come to its next question, or to a write that nobody answered.
  function fill(card, proposal) {
    show_proposal(card, proposal);
    show_doubt(card, proposal.doubt);
    show_divergence(card, proposal.diverged);
    show_result(card, proposal);

    const held = proposal.state === "held";
    const doubt = in_doubt(proposal);
    $(".state", card).textContent = proposal.state;
    card.classList.toggle("settled", proposal.state === "succeeded");
    card.classList.toggle("refused", !doubt && ["denied", "expired", "failed", "diverged", "unknown"].includes(proposal.state));
    $(".decider", card).hidden = !(held || doubt) || !proposal.decider;

    const approves = may_approve(proposal);
    const ends = approves || proposal.by === page.me().subject;
    $("footer", card).hidden = !((held || doubt) && ends);
    // What goes on is an approver's to say; that nothing more is sent, whoever asked may say, too.
    const buttons = { approve: held && approves, deny: held && ends, repeat: doubt && approves, "took-effect": doubt && ends };
    const digest = doubt ? proposal.doubt.request.digest : proposal.first_write?.digest;
    for (const [decision, shown] of Object.entries(buttons)) {
      const button = $(`.${decision}`, card);
      button.hidden = !shown;
      button.disabled = false;
      button.onclick = () => decide(card, proposal, { decision, digest, wait: true });
    }
    $(".remark span", card).textContent = doubt ? "Remark (kept in the record)" : "Reason (the assistant sees it)";
  }

  async function decide(card, { invocation }, body) {
    const path = `/v1/approvals/${encodeURIComponent(invocation)}`;
    const note = $(".remark input", card).value.trim();
    for (const button of card.querySelectorAll("button")) button.disabled = true;
    $(".complaint", card).textContent = "";
    try {
      fill(card, await api("POST", `${path}/decision`, { ...body, ...(note && { note }) }));
      $(".remark input", card).value = "";
      page.refresh();
    } catch (error) {
      $(".complaint", card).textContent = error.message;
      // Somebody else may have decided: the card shows how things stand, and why this was refused.
      const now = await api("GET", path).catch(() => null);
      if (now) fill(card, now);
      else for (const button of card.querySelectorAll("button")) button.disabled = false;
    }
  }

  // Of a write that nobody was asked about there is no more than the write itself.
  function show_proposal(card, proposal) {
    const { first_write: write, envelope, context, decider } = proposal;
    const put = (selector, ...content) => {
      $(selector, card).replaceChildren(...content);
      $(selector, card).hidden = content.length === 0;
    };
    put(".what", proposal.tool ? `${proposal.tool} · ${proposal.connection_name} (${proposal.account})` : "A write that nobody was asked about");
    put(".request", ...(context?.request ? [`Asked: “${context.request}”`] : []));
    put(".reasons", ...(proposal.reasons ?? []).map((reason) => element("li", {}, ...emphasised(reason))));
    $(".arguments", card).replaceChildren(tree(proposal.arguments ?? null));
    $(".arguments", card).parentElement.hidden = proposal.arguments == null;
    const headers = (write?.headers ?? []).map(([name, value]) => `${name}: ${value}`).join("\n");
    $(".write", card).textContent = write ? `${write.method} ${write.url}\n${headers}\n\n${write.body}\n\nsha256 ${write.digest}` : "";
    $(".write", card).parentElement.hidden = !write;
    put(".envelope", ...(envelope ? [`At most ${envelope.max_writes} writes in all, by ${envelope.routes.join(", ")}.`] : []));
    const sources = context?.sources ?? [];
    put(".sources", ...sources.flatMap((source, index) => [index ? ", " : "From: ", safe_link(source.url ?? "", source.title)]));
    put(".decider", ...(decider ? [`Decided by ${decider_words(decider)}.`] : []));
  }

  function show_doubt(card, doubt) {
    const part = $(".doubt", card);
    part.hidden = !doubt;
    if (!doubt) return;
    const { sent, request } = doubt;
    const when = sent ? ` at ${new Date(sent).toLocaleString()}` : "";
    $("p", part).textContent = `This write was sent${when} and never answered: nobody knows whether it took effect. Look at the service: is it there?`;
    $("pre", part).textContent = [`${request.method} ${request.url}`, request.body].filter(Boolean).join("\n\n");
  }

  function show_divergence(card, diverged) {
    const part = $(".divergence", card);
    part.hidden = !diverged;
    if (!diverged) return;
    $("p", part).textContent = `When it was run again, call ${diverged.call} asked for something else than is recorded, and it was stopped there.`;
    $(".recorded", part).textContent = call_text(diverged.recorded);
    $(".asked-now", part).textContent = call_text(diverged.asked);
  }

  function show_result(card, { output, error, doubt }) {
    const shown = output != null ? [element("strong", { textContent: "Result" }), tree(output)]
      // Of a doubt everything is said above.
      : error && !doubt ? [element("p", { className: "error", textContent: error.message })] : [];
    $(".result", card).replaceChildren(...shown);
  }

  // What a replay asked for, or had asked for: a request, or the arguments as text.
  function call_text(call) {
    if (!call) return "Nothing, or no longer kept.";
    const { import: name, request } = call;
    if (!request || typeof request !== "object") return `${name}\n${request}`;
    const { method, url, headers = [], body, canonical: _, ...more } = request;
    const lines = [name, `${method} ${url}`, ...headers.map(([key, value]) => `${key}: ${value}`),
      ...Object.entries(more).map(([key, value]) => `(${key}: ${typeof value === "string" ? value : JSON.stringify(value)})`)];
    return [lines.join("\n"), content_text(body)].filter(Boolean).join("\n\n");
  }

  function content_text(body) {
    if (!body || body === "empty") return "";
    return body.text ?? JSON.stringify(body.json ?? body, null, 2);
  }

  // Who decides; the host judges it again when somebody does.
  function decider_words(decider) {
    if (decider.kind === "owner") return "whoever owns the account";
    return decider.kind === "approver" ? "an approver" : "an approver other than the one who asked";
  }

  function may_approve({ decider, by }) {
    const { subject, roles } = page.me();
    // Whose word it is only the host knows here: it says so when the word is not theirs.
    if (!decider) return true;
    if (decider.kind === "owner") return decider.subject === subject;
    const approver = roles.includes("approver") || roles.includes("admin");
    return approver && (decider.kind === "approver" || by !== subject);
  }

  return card_of;
}

// Whether nobody knows if a write took effect, and somebody is to say so.
export const in_doubt = ({ state, doubt }) => state === "unknown" && Boolean(doubt);

// Whether a person's word is waited for.
export const waits = (proposal) => proposal.state === "held" || in_doubt(proposal);
