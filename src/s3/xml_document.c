/* SPDX-License-Identifier: MIT */
/* Small XML documents, as libxml2's trees. */
#include "s3/xml_document.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <libxml/parser.h>

#include "base/alloc.h"

struct xml_document {
	xmlDocPtr tree;
	xmlNodePtr root;
	xmlNodePtr row; /* NULL: before the first */
};

static bool is_named(const xmlNode *node, const char *name)
{
	return node->type == XML_ELEMENT_NODE &&
	    xmlStrEqual(node->name, BAD_CAST name);
}

static xmlNodePtr find(xmlNodePtr node, const char *name)
{
	while (node && !is_named(node, name))
		node = node->next;
	return node;
}

/* The first that ${path} names below ${parent}, or NULL. */
static xmlNodePtr descend(xmlNodePtr parent, const char *path)
{
	char name[NAME_MAX];
	size_t len = strcspn(path, "/");
	xmlNodePtr node;

	if (len >= sizeof(name))
		return NULL;
	memcpy(name, path, len);
	name[len] = '\0';
	node = find(parent->children, name);
	return node && path[len] ? descend(node, path + len + 1) : node;
}

/* libxml2 joins neighbouring texts: what holds more than one node, or another
 * kind of node, is no text that S3 sends. */
static const char *text_of(xmlNodePtr parent, const char *name)
{
	xmlNodePtr node = descend(parent, name);
	xmlNodePtr text = node ? node->children : NULL;

	if (!text || text->next || (text->type != XML_TEXT_NODE &&
	    text->type != XML_CDATA_SECTION_NODE))
		return "";
	return (const char *)text->content;
}

static xmlDocPtr parse(const char *body, size_t len)
{
	xmlDocPtr tree;

	/* Blanks keep a line open while a server works; before an XML
	 * declaration they are an error to libxml2. */
	while (len > 0 && *body && strchr(" \t\r\n", *body)) {
		body++;
		len--;
	}
	if (len == 0 || len > INT_MAX)
		return NULL;
	tree = xmlReadMemory(body, (int)len, NULL, NULL,
	    XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING |
	    XML_PARSE_NOBLANKS);
	if (tree && (tree->intSubset || !xmlDocGetRootElement(tree))) {
		xmlFreeDoc(tree);
		tree = NULL;
	}
	return tree;
}

enum xml_verdict xml_document_parse(struct xml_document **document,
    const char *root, const char *body, size_t len, struct xml_error *error,
    struct error *err)
{
	xmlDocPtr tree = parse(body, len);
	xmlNodePtr top = tree ? xmlDocGetRootElement(tree) : NULL;

	*document = NULL;
	memset(error, 0, sizeof(*error));
	if (top && is_named(top, root)) {
		*document = alloc_zero(1, sizeof(**document));
		(*document)->tree = tree;
		(*document)->root = top;
		return XML_SOUND;
	}
	if (tree)
		xmlFreeDoc(tree);
	xml_error_parse(body, len, error);
	if (top && *error->code)
		return XML_ERROR;
	if (error->foreign)
		error_set(err, ERROR_REMOTE, "the reply is %s, not a <%s>",
		    error->foreign, root);
	else
		error_set(err, ERROR_REMOTE, "the reply is no whole <%s>",
		    root);
	return XML_BROKEN;
}

void xml_document_free(struct xml_document *d)
{
	if (!d)
		return;
	xmlFreeDoc(d->tree);
	free(d);
}

const char *xml_document_text(struct xml_document *d, const char *name)
{
	return text_of(d->root, name);
}

bool xml_document_next(struct xml_document *d, const char *name)
{
	d->row = find(d->row ? d->row->next : d->root->children, name);
	return d->row != NULL;
}

const char *xml_document_field(struct xml_document *d, const char *name)
{
	return text_of(d->row, name);
}

bool xml_document_has(struct xml_document *d, const char *name)
{
	return descend(d->row, name) != NULL;
}

bool xml_document_enter(struct xml_document *d, const char *name)
{
	xmlNodePtr child = find(d->root->children, name);

	if (child) {
		d->root = child;
		d->row = NULL;
	}
	return child != NULL;
}
