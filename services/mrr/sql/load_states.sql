SELECT subject, workspace_id, state FROM customers WHERE subject = ANY (%b::text[])
